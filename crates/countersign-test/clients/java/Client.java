// What a Java service writes with nothing but the JDK: `app-hmac` in all its forms, and the signature base of RFC 9421, under
// javax.crypto and java.security, sent by java.net.http. ../run.py says what is done here.

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.UUID;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

public class Client {
    static final String ORDER = "{\"amount\": \"12\"}";
    static final List<String> COVERED =
            List.of("@method", "@authority", "@path", "@query", "content-type", "x-purpose", "content-digest");
    /** As most have it: it offers HTTP/2 with each request, by an upgrade that nobody has to take. */
    static final HttpClient HTTP = HttpClient.newHttpClient();

    static String binary, gateway, tables;

    public static void main(String[] arguments) throws Exception {
        binary = arguments[0];
        gateway = arguments[1];
        tables = arguments[2];
        for (String line : Files.readAllLines(Path.of("keys.txt"))) {
            Key key = new Key(line);
            everyChange(key);
            theOtherWay(key);
        }
    }

    /** Each change is refused; what was changed passes as it was, so it was the change, and refusing it spent nothing; once. */
    static void everyChange(Key key) throws Exception {
        for (Wire.Row row : Wire.rows(Path.of(tables, key.table()))) {
            Message request = key.scheme.equals("app-hmac") ? appHmac(key) : messageSignature(key);
            expect(row.code(), Wire.send(gateway, row.change(request.text())), key.id + ", " + row.what());
            saw("refused", key, row.what());
            expect("passed", sendAsClientsDo(request), key.id + ", after " + row.what());
            saw("passed", key, row.what());
            expect("replayed", sendAsClientsDo(request), key.id + ", again after " + row.what());
            saw("replayed", key, row.what());
        }
    }

    /** The second ends in 5, so that a table can say the one before and the one after. */
    static long moment() {
        return System.currentTimeMillis() / 10_000 * 10 - 5;
    }

    static Message messageSignature(Key key) throws Exception {
        Map<String, String> headers = new LinkedHashMap<>();
        headers.put("Host", gateway);
        headers.put("Content-Type", "application/json");
        headers.put("X-Purpose", "test");
        headers.put("Content-Digest", digest(ORDER));
        String names = COVERED.stream().map(name -> '"' + name + '"').collect(Collectors.joining(" "));
        String input = "(%s);created=%d;keyid=\"%s\";alg=\"%s\";nonce=\"%s\""
                .formatted(names, moment(), key.id, key.algorithm, UUID.randomUUID());
        Message message = new Message("POST", "/orders?item=1&count=2", headers, ORDER);
        byte[] signature = key.sign(bytes(base(COVERED, message, input)));
        headers.put("Signature-Input", "sig=" + input);
        headers.put("Signature", "sig=:" + Base64.getEncoder().encodeToString(signature) + ":");
        return message;
    }

    /** RFC 9421, section 2.5: a line per component, and what Signature-Input says. */
    static String base(List<String> covered, Message message, String input) {
        String[] target = message.target.split("\\?", 2);
        Map<String, String> values = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);
        values.putAll(message.headers);
        values.put("@method", message.method);
        values.put("@authority", values.get("host"));
        values.put("@path", target[0]);
        values.put("@query", "?" + (target.length > 1 ? target[1] : ""));
        StringBuilder lines = new StringBuilder();
        covered.forEach(name -> lines.append("\"%s\": %s\n".formatted(name, values.get(name))));
        return lines + "\"@signature-params\": " + input;
    }

    static Message appHmac(Key key) throws Exception {
        String stamp = key.unit.equals("seconds") ? "" + moment() : "" + (moment() * 1000 + 5);
        String uuid = UUID.randomUUID().toString(), hex = uuid.replace("-", "");
        String nonce = switch (key.nonceForm) {
            case "hex8" -> hex.substring(0, 8);
            case "hex32" -> hex;
            default -> uuid;
        };
        Map<String, String> headers = new LinkedHashMap<>();
        headers.put("Host", gateway);
        headers.put("Content-Type", "application/json");
        headers.put("AppId", key.id);
        headers.put("Timestamp", stamp);
        headers.put("Nonce", nonce);
        String target = key.layout.equals("method-first") ? "/app?item=1&count=2" : "/app";
        Message message = new Message("POST", target, headers, ORDER);
        headers.put("Signature", HexFormat.of().formatHex(key.sign(bytes(appHmacBytes(key, message)))));
        return message;
    }

    /** Nothing stands between the parts. */
    static String appHmacBytes(Key key, Message message) {
        String stamp = message.headers.get("Timestamp"), nonce = message.headers.get("Nonce");
        return key.layout.equals("method-first")
                ? message.method + message.target + stamp + nonce + message.body
                : message.body + nonce + stamp;
    }

    /** By the JDK's own HTTP client; `passed`, or the code of the refusal. */
    static String sendAsClientsDo(Message message) throws Exception {
        var request = HttpRequest.newBuilder(URI.create("http://" + gateway + message.target))
                .method(message.method, HttpRequest.BodyPublishers.ofString(message.body));
        // The client puts Host itself.
        message.headers.entrySet().stream().skip(1).forEach(field -> request.header(field.getKey(), field.getValue()));
        var answer = HTTP.send(request.build(), BodyHandlers.ofString());
        return answer.statusCode() == 200 ? "passed" : Wire.code(answer.statusCode(), answer.body());
    }

    /** What `countersign sign` signed is verified here, and no longer once it was changed. */
    static void theOtherWay(Key key) throws Exception {
        List<String[]> messages = new ArrayList<>();
        messages.add(new String[] {"with body", "POST", "/app", "{\"name\": \"é 💶\"}"});
        messages.add(new String[] {"another body", "POST", "/app", ORDER});
        if (!key.table().contains("payload-first")) {
            messages.add(new String[] {"with body and query", "PUT", "/app/1?a=%2F&b", "[1, 2]"});
            messages.add(new String[] {"with query", "GET", "/app?a=b", ""});
            messages.add(new String[] {"neither", "DELETE", "/app/1", ""});
        }
        for (String[] row : messages) {
            String type = row[3].isEmpty() ? "" : "Content-Type: application/json\r\n";
            String text = "%s %s HTTP/1.1\r\nHost: api.example.com\r\n%s\r\n%s".formatted(row[1], row[2], type, row[3]);
            Message message = Message.parse(key.countersign(binary, text));
            expect(row[3], message.body, "the body");
            boolean hmac = key.scheme.equals("app-hmac");
            byte[] signature = hmac ? ofAppHmac(key, message) : base64(message.headers.get("Signature"));
            String signed = hmac ? appHmacBytes(key, message) : baseOf(message);
            expect(true, key.verify(bytes(signed), signature), key.id + ", " + row[0] + ": " + signed);
            expect(false, key.verify(bytes(signed + " "), signature), key.id + ", " + row[0] + ", changed");
            saw("verified", key, row[0]);
        }
    }

    static byte[] ofAppHmac(Key key, Message message) {
        String stamp = message.headers.get("Timestamp"), nonce = message.headers.get("Nonce");
        expect(key.id, message.headers.get("AppId"), "AppId");
        expect(key.unit.equals("seconds") ? 10 : 13, stamp.length(), "digits of " + stamp);
        String form = switch (key.nonceForm) {
            case "hex8" -> "[0-9a-f]{8}";
            case "hex32" -> "[0-9a-f]{32}";
            default -> "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}";
        };
        expect(true, nonce.matches(form), "the form of " + nonce);
        return HexFormat.of().parseHex(message.headers.get("Signature"));
    }

    static String baseOf(Message message) throws Exception {
        String input = message.headers.get("Signature-Input").substring("sig1=".length());
        List<String> covered = Arrays.asList(input.substring(1, input.indexOf(')')).replace("\"", "").split(" "));
        boolean body = !message.body.isEmpty();
        List<String> expected = new ArrayList<>(body ? COVERED : COVERED.subList(0, 4));
        expected.remove("x-purpose");
        expect(expected, covered, "what is covered");
        expect(body ? digest(message.body) : null, message.headers.get("Content-Digest"), "the digest");
        return base(covered, message, input);
    }

    static byte[] base64(String field) {
        var found = Pattern.compile("sig1=:(.*):").matcher(field);
        expect(true, found.matches(), field);
        return Base64.getDecoder().decode(found.group(1));
    }

    static String digest(String body) throws Exception {
        byte[] hash = MessageDigest.getInstance("SHA-256").digest(bytes(body));
        return "sha-256=:" + Base64.getEncoder().encodeToString(hash) + ":";
    }

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    static void saw(String column, Key key, String what) {
        System.out.println(String.join("\t", column, key.id, what));
    }

    static void expect(Object expected, Object seen, String what) {
        if (expected == null ? seen != null : !expected.equals(seen)) {
            throw new AssertionError(what + ": expected " + expected + ", saw " + seen);
        }
    }
}
