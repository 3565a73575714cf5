// java Publish.java ORG EVENT_TYPE PAYLOAD [EVENT_ID]: publish one event; PAYLOAD is JSON.
// BELLHOP_URL and BELLHOP_TOKEN say where and as whom. Java 17 or newer, nothing else.
// Exit: 0 stored, 65 refused for good, 75 not now: keep the event, try later.
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.UUID;

public class Publish {
    static final int TRIES = 6;
    // One for the whole program: it keeps connections open.
    static final HttpClient client =
        HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).connectTimeout(Duration.ofSeconds(5)).build();

    /** The same request will never be taken. */
    static class Refused extends Exception {
        Refused(String why) { super(why); }
    }

    /** Not stored, or nobody knows: send the same event again, later. */
    static class NotNow extends Exception {
        NotNow(String why) { super(why); }
    }

    /** Publish an event, or {"events":[…]} with 1 to 500; returns the answer's JSON. */
    static String publish(String json, String domain) throws Refused, NotNow, InterruptedException {
        HttpRequest request = HttpRequest.newBuilder(URI.create(System.getenv("BELLHOP_URL") + "/" + domain + "/realtime/publish"))
            .header("Authorization", "Bearer " + System.getenv("BELLHOP_TOKEN"))
            .header("Content-Type", "application/json")
            .timeout(Duration.ofSeconds(10))
            .POST(HttpRequest.BodyPublishers.ofString(json))
            .build();
        for (int attempt = 0; ; attempt++) {
            double wait = 0.25 * Math.pow(2, attempt) * (0.5 + Math.random());
            String why;
            try {
                var answer = client.send(request, BodyHandlers.ofString());
                int status = answer.statusCode();
                why = answer.body();
                if (status == 200) return why;
                if (status == 401 || status == 403) throw new NotNow(why); // the event is good, the token isn't
                if (status != 429 && status < 500) throw new Refused(why);
                wait = answer.headers().firstValue("Retry-After").map(Double::valueOf).orElse(wait);
            } catch (IOException error) {
                why = error.toString(); // no answer, or half of one
            }
            if (attempt + 1 == TRIES) throw new NotNow(why);
            Thread.sleep((long) (wait * 1000));
        }
    }

    /** A string of JSON. With a JSON library at hand, use that. */
    static String quote(String text) {
        var out = new StringBuilder("\"");
        for (char c : text.toCharArray()) {
            if (c == '"' || c == '\\') out.append('\\').append(c);
            else if (c < 0x20) out.append(String.format("\\u%04x", (int) c));
            else out.append(c);
        }
        return out.append('"').toString();
    }

    public static void main(String[] args) throws InterruptedException {
        String id = args.length > 3 ? args[3] : UUID.randomUUID().toString(); // made once, before the first try
        String event = "{\"eventId\":" + quote(id) + ",\"eventType\":" + quote(args[1]) + ",\"timestamp\":" + System.currentTimeMillis()
            + ",\"orgId\":" + quote(args[0]) + ",\"payload\":" + args[2] + "}";
        try {
            System.out.println(publish(event, "tasks"));
        } catch (Refused error) {
            System.err.println("refused: " + error.getMessage());
            System.exit(65);
        } catch (NotNow error) {
            System.err.println("not now: " + error.getMessage());
            System.exit(75);
        }
    }
}
