import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.util.Base64;

/** Does what a program with Java's own client does: Client URL. It has no JSON, so an order is words in base64. */
class Client {
    public static void main(String[] args) throws Exception {
        HttpClient client = HttpClient.newHttpClient(); // asks for HTTP/2 in clear text by itself
        BufferedReader orders = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = orders.readLine(); line != null; line = orders.readLine()) {
            String[] order = line.split(" ", -1); // method, path, kind of the body, body, condition
            String body = text(order[3]), match = text(order[4]);
            HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(args[0] + text(order[1])))
                .method(order[0], body.isEmpty() ? HttpRequest.BodyPublishers.noBody() : HttpRequest.BodyPublishers.ofString(body));
            if (order[2].equals("json")) {
                request.header("Content-Type", "application/json");
            }
            if (!match.isEmpty()) {
                request.header(order[2].equals("none-match") ? "If-None-Match" : "If-Match", match);
            }
            HttpResponse<String> answer = client.send(request.build(), HttpResponse.BodyHandlers.ofString());
            System.out.println(answer.statusCode() + " " + word(answer.headers().firstValue("ETag").orElse("")) + " " + word(answer.body()));
            System.out.flush();
        }
    }

    private static String text(String word) {
        return new String(Base64.getDecoder().decode(word), StandardCharsets.UTF_8);
    }

    private static String word(String text) {
        return Base64.getEncoder().encodeToString(text.getBytes(StandardCharsets.UTF_8));
    }
}
