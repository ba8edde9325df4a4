// A partner in Java 17 or later: the JDK alone.
// usage: java Partner.java URL KEY.pem KEYID
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.*;
import java.security.*;
import java.security.spec.PKCS8EncodedKeySpec;
import java.time.Instant;
import java.util.*;
import java.util.stream.Collectors;

class Partner {
    static final Base64.Encoder BASE64 = Base64.getEncoder();
    static PrivateKey key;
    static String keyId;

    /** A request, signed as RFC 9421 has it. To try again, make it again: a nonce passes once. */
    static HttpRequest signed(String method, URI uri, String body) throws Exception {
        Map<String, String> covered = new LinkedHashMap<>();
        covered.put("@method", method);
        covered.put("@authority", uri.getAuthority());
        covered.put("@path", uri.getRawPath());
        covered.put("@query", "?" + Objects.requireNonNullElse(uri.getRawQuery(), ""));
        HttpRequest.Builder request = HttpRequest.newBuilder(uri);
        if (!body.isEmpty()) {
            byte[] hash = MessageDigest.getInstance("SHA-256").digest(body.getBytes("UTF-8"));
            covered.put("content-type", "application/json");
            covered.put("content-digest", "sha-256=:" + BASE64.encodeToString(hash) + ":");
        }
        covered.forEach((name, value) -> { if (!name.startsWith("@")) request.header(name, value); });
        String names = covered.keySet().stream().map(name -> '"' + name + '"').collect(Collectors.joining(" ", "(", ")"));
        String input = names + ";created=" + Instant.now().getEpochSecond() + ";keyid=\"" + keyId
                + "\";alg=\"ed25519\";nonce=\"" + UUID.randomUUID() + '"';
        StringBuilder base = new StringBuilder();
        covered.forEach((name, value) -> base.append('"' + name + "\": " + value + "\n"));
        Signature signature = Signature.getInstance("Ed25519");
        signature.initSign(key);
        signature.update((base + "\"@signature-params\": " + input).getBytes("UTF-8"));
        request.header("Signature-Input", "sig1=" + input);
        request.header("Signature", "sig1=:" + BASE64.encodeToString(signature.sign()) + ":");
        return request.method(method, HttpRequest.BodyPublishers.ofString(body)).build();
    }

    public static void main(String[] args) throws Exception {
        String pem = Files.readString(Path.of(args[1])).replaceAll("-----[^-]*-----", "");
        key = KeyFactory.getInstance("Ed25519").generatePrivate(new PKCS8EncodedKeySpec(Base64.getMimeDecoder().decode(pem)));
        keyId = args[2];
        HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
        for (HttpRequest request : List.of(signed("POST", URI.create(args[0]), "{\"sku\": 1}"),
                signed("GET", URI.create(args[0] + "?open=yes"), ""))) {
            var answer = client.send(request, BodyHandlers.ofString());
            System.out.print(answer.statusCode() + " " + answer.body());
        }
    }
}
