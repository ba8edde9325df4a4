// A request as it stands on the wire.

import java.util.Map;
import java.util.TreeMap;

class Message {
    final String method, target, body;
    final Map<String, String> headers;

    Message(String method, String target, Map<String, String> headers, String body) {
        this.method = method;
        this.target = target;
        this.headers = headers;
        this.body = body;
    }

    static Message parse(String text) {
        String[] headAndBody = text.split("\r\n\r\n", 2);
        String[] lines = headAndBody[0].split("\r\n"), first = lines[0].split(" ");
        Map<String, String> headers = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);
        for (int at = 1; at < lines.length; at++) {
            String[] field = lines[at].split(": ", 2);
            headers.put(field[0], field[1]);
        }
        return new Message(first[0], first[1], headers, headAndBody[1]);
    }

    String text() {
        StringBuilder text = new StringBuilder(method + " " + target + " HTTP/1.1\r\n");
        headers.forEach((name, value) -> text.append(name).append(": ").append(value).append("\r\n"));
        return text + "\r\n" + body;
    }
}
