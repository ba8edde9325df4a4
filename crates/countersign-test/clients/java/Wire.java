// Requests sent byte by byte, so that any byte of them can be changed.

import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

class Wire {
    /** A line of a table of changes; ../changes/http-message-signatures.txt says how it is written. */
    record Row(String what, String code, String find, String put) {
        static Row parse(String line) {
            String[] columns = line.split(" \\| ?", 4);
            return new Row(columns[0], columns[1], columns[2], columns[3].replace("\\r\\n", "\r\n").replace("\\x20", " "));
        }

        String change(String text) {
            Matcher found = Pattern.compile(find).matcher(text);
            long count = found.results().count();
            String changed = found.reset().replaceFirst(put);
            if (count != 1 || changed.equals(text)) {
                throw new AssertionError(find + " is found " + count + " times, or changes nothing, in " + text);
            }
            return changed;
        }
    }

    static List<Row> rows(Path table) throws Exception {
        return Files.readAllLines(table).stream()
                .filter(line -> !line.isEmpty() && !line.startsWith("#"))
                .map(Row::parse)
                .toList();
    }

    /** Sends a request, and gives the code of its refusal: `-` where there is none. */
    static String send(String address, String text) throws Exception {
        String[] headAndBody = text.split("\r\n\r\n", 2);
        String head = headAndBody[0] + "\r\nConnection: close", body = headAndBody[1];
        if (!body.isEmpty() && !Pattern.compile("\r\n(Content-Length|Transfer-Encoding): ").matcher(head).find()) {
            head += "\r\nContent-Length: " + body.getBytes(StandardCharsets.UTF_8).length;
        }
        String[] hostAndPort = address.split(":");
        try (Socket socket = new Socket(hostAndPort[0], Integer.parseInt(hostAndPort[1]))) {
            socket.setSoTimeout(20_000);
            socket.getOutputStream().write((head + "\r\n\r\n" + body).getBytes(StandardCharsets.UTF_8));
            String[] answer = new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8).split("\r\n\r\n", 2);
            int status = Integer.parseInt(answer[0].split(" ")[1]);
            boolean problem = Pattern.compile("(?mi)^content-type: application/problem\\+json\r?$").matcher(answer[0]).find();
            return problem ? code(status, answer[1]) : status == 400 ? "-" : String.join("\n", answer);
        }
    }

    static String code(int status, String problem) {
        Matcher found = Pattern.compile("\"code\":\"([^\"]*)\"").matcher(problem);
        return found.find() && problem.contains("\"status\":" + status) ? found.group(1) : problem;
    }
}
