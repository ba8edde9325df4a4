// A key as `countersign key generate` wrote it, under javax.crypto and java.security.

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.MessageDigest;
import java.security.Signature;
import java.security.spec.MGF1ParameterSpec;
import java.security.spec.PKCS8EncodedKeySpec;
import java.security.spec.PSSParameterSpec;
import java.security.spec.X509EncodedKeySpec;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

class Key {
    final String id, scheme, algorithm, layout, unit, nonceForm;

    /** A line of keys.txt. */
    Key(String line) {
        String[] words = (line.strip() + " - - -").split("\\s+");
        id = words[0];
        scheme = words[1];
        algorithm = words[2];
        layout = words[3];
        unit = words[4];
        nonceForm = words[5];
    }

    /** The file that says what is changed of a message of this kind. */
    String table() {
        return scheme + (scheme.equals("app-hmac") ? "-" + layout : "") + ".txt";
    }

    byte[] sign(byte[] data) throws Exception {
        if (algorithm.equals("hmac-sha256")) {
            return mac(data);
        }
        Signature signature = signature();
        signature.initSign(factory().generatePrivate(new PKCS8EncodedKeySpec(pem(id + ".key"))));
        signature.update(data);
        return signature.sign();
    }

    boolean verify(byte[] data, byte[] mark) throws Exception {
        if (algorithm.equals("hmac-sha256")) {
            return MessageDigest.isEqual(mac(data), mark);
        }
        Signature signature = signature();
        signature.initVerify(factory().generatePublic(new X509EncodedKeySpec(pem(id + ".key.pub"))));
        signature.update(data);
        return signature.verify(mark);
    }

    /** `countersign sign` with this key. */
    String countersign(String binary, String message) throws Exception {
        List<String> command = new ArrayList<>(List.of(binary, "sign", "--key", id + ".key", "--id", id));
        command.addAll(List.of("--scheme", scheme, "--algorithm", algorithm));
        if (scheme.equals("app-hmac")) {
            command.addAll(List.of("--layout", layout, "--timestamp-unit", unit, "--nonce-form", nonceForm));
        }
        Process process = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
        try (var input = process.getOutputStream()) {
            input.write(message.getBytes(StandardCharsets.UTF_8));
        }
        String signed = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        if (process.waitFor() != 0) {
            throw new AssertionError(id + ": " + command);
        }
        return signed;
    }

    private byte[] mac(byte[] data) throws Exception {
        // Of a secret, its file's bytes are the secret, less one final LF.
        String secret = Files.readString(Path.of(id + ".key"), StandardCharsets.ISO_8859_1).replaceFirst("\n\\z", "");
        Mac mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(secret.getBytes(StandardCharsets.ISO_8859_1), "HmacSHA256"));
        return mac.doFinal(data);
    }

    private Signature signature() throws Exception {
        switch (algorithm) {
            case "ed25519":
                return Signature.getInstance("Ed25519");
            case "ecdsa-p384-sha384":
                // r and s as RFC 9421 (3.3.5) has them, not DER.
                return Signature.getInstance("SHA384withECDSAinP1363Format");
            case "rsa-pss-sha512":
                Signature pss = Signature.getInstance("RSASSA-PSS");
                pss.setParameter(new PSSParameterSpec("SHA-512", "MGF1", MGF1ParameterSpec.SHA512, 64, 1));
                return pss;
            default:
                throw new AssertionError(algorithm);
        }
    }

    private KeyFactory factory() throws Exception {
        return KeyFactory.getInstance(algorithm.equals("ed25519") ? "Ed25519" : algorithm.startsWith("rsa") ? "RSA" : "EC");
    }

    private static byte[] pem(String path) throws Exception {
        return Base64.getMimeDecoder().decode(Files.readString(Path.of(path)).replaceAll("-----[^-]*-----", ""));
    }
}
