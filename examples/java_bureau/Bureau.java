import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.net.HttpURLConnection;
import java.net.URL;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.MessageDigest;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import javax.net.ssl.HttpsURLConnection;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

/**
 * A bureau in Java 8 without any dependency: events by HTTPS long poll, every call by HTTPS and JSON.
 *
 * <pre>java Bureau https://hub:9443 CODE CREDENTIALS-DIRECTORY GRANT-ID [CASES]</pre>
 * It handles cases until CASES of them are delivered (default: for ever).
 */
public final class Bureau {
    private final String hub, code, grant;
    private final SSLContext tls;
    private String token = "";
    private long tokenUntil;

    Bureau(String hub, String code, Path credentials, String grant) throws Exception {
        this.hub = hub;
        this.code = code;
        this.grant = grant;
        this.tls = tls(credentials);
    }

    public static void main(String[] args) throws Exception {
        if (args.length < 4) {
            System.err.println("usage: java Bureau HUB-URL CODE CREDENTIALS-DIRECTORY GRANT-ID [CASES]");
            System.exit(64);
        }
        try {
            new Bureau(args[0], args[1], Paths.get(args[2]), args[3]).run(args.length > 4 ? Integer.parseInt(args[4]) : Integer.MAX_VALUE);
        } catch (java.io.IOException | IllegalStateException error) {
            System.err.println(error);
            System.exit(1);
        }
    }

    /** Polls, handles, and sends receipts only after handling: what is not receipted comes again. */
    void run(int cases) throws Exception {
        String cursor = "";
        for (int delivered = 0; delivered < cases; ) {
            Map<String, Object> page = get("/v1/inbox?maxEvents=50&waitSeconds=20&cursor=" + URLEncoder.encode(cursor, "UTF-8"));
            List<String> receipts = new ArrayList<>();
            for (Object row : list(page.get("events"))) {
                Map<String, Object> event = map(row);
                byte[] stored = Base64.getDecoder().decode(text(event, "data"));
                if (text(event, "type").equals("shuniu.exchange.case.submitted.v1")) {
                    delivered += handle(text(event, "subject")) ? 1 : 0;
                }
                receipts.add("{\"eventId\":" + quote(text(event, "id")) + ",\"sha256\":\"" + hex(MessageDigest.getInstance("SHA-256").digest(stored)) + "\"}");
            }
            if (!receipts.isEmpty()) {
                post("/v1/inbox:ack", "{\"requestId\":\"" + UUID.randomUUID() + "\",\"receipts\":[" + String.join(",", receipts) + "]}");
            }
            cursor = text(page, "cursor");
        }
    }

    /** One case from where it stands to delivery, also when another program or an earlier run began it. True when it was delivered now. */
    private boolean handle(String caseCode) throws Exception {
        String state = text(map(get("/v1/cases/" + caseCode).get("case")), "state");
        state = state.equals("CASE_STATE_SUBMITTED") ? move(caseCode, "ACCEPT", "") : state;
        state = state.equals("CASE_STATE_ACCEPTED") ? move(caseCode, "PROCESS", "") : state;
        state = state.equals("CASE_STATE_PROCESSING") ? decide(caseCode) : state;
        if (!state.equals("CASE_STATE_GRANTED")) {
            return false;
        }
        Map<String, Object> issued = map(post("/v1/certificates", "{\"requestId\":\"java-issue-" + caseCode + "\",\"caseCode\":" + quote(caseCode) + "}").get("certificate"));
        move(caseCode, "DELIVER", ",\"certificateNumber\":" + quote(text(issued, "number")));
        System.out.println(caseCode + " delivered");
        return true;
    }

    private String decide(String caseCode) throws Exception {
        Map<String, Object> answer = map(post("/v1/grants/" + grant + ":query", "{\"requestId\":\"java-query-" + caseCode + "\",\"caseCode\":" + quote(caseCode) + "}").get("answer"));
        return Boolean.FALSE.equals(answer.get("has_record")) ? move(caseCode, "GRANT", "") : move(caseCode, "REFUSE", ",\"note\":\"\u7ecf\u67e5\u8be2\u6709\u72af\u7f6a\u8bb0\u5f55\u3002\"");
    }

    /** The same request id for the same step of the same program makes a repetition harmless. Returns the case's state. */
    private String move(String caseCode, String move, String more) throws Exception {
        return text(map(post("/v1/cases/" + caseCode + ":move", "{\"requestId\":\"java-" + move + "-" + caseCode + "\",\"move\":\"CASE_MOVE_" + move + "\",\"officer\":\"J-0001\"" + more + "}").get("case")), "state");
    }

    private Map<String, Object> get(String path) throws Exception {
        return call("GET", path, null, "application/json", true);
    }

    private Map<String, Object> post(String path, String json) throws Exception {
        return call("POST", path, json, "application/json", true);
    }

    private Map<String, Object> call(String method, String path, String body, String type, boolean withToken) throws Exception {
        if (withToken && System.currentTimeMillis() > tokenUntil) {
            Map<String, Object> answer = call("POST", "/oauth2/token", "grant_type=client_credentials&client_id=" + code, "application/x-www-form-urlencoded", false);
            token = text(answer, "access_token");
            tokenUntil = System.currentTimeMillis() + 1000L * (((Number) answer.get("expires_in")).longValue() - 30);
        }
        for (int attempt = 0; ; attempt++) {
            HttpsURLConnection call = (HttpsURLConnection) new URL(hub + path).openConnection();
            call.setSSLSocketFactory(tls.getSocketFactory());
            call.setRequestMethod(method);
            call.setConnectTimeout(10_000);
            call.setReadTimeout(40_000);
            if (withToken) {
                call.setRequestProperty("Authorization", "Bearer " + token);
            }
            if (body != null) {
                call.setDoOutput(true);
                call.setRequestProperty("Content-Type", type);
                call.getOutputStream().write(body.getBytes(StandardCharsets.UTF_8));
            }
            int status = call.getResponseCode();
            String answer = read(status < 400 ? call.getInputStream() : call.getErrorStream());
            if (status < 400) {
                return map(new Json(answer).value());
            }
            if (status < 500 && status != HttpURLConnection.HTTP_CLIENT_TIMEOUT || attempt > 20) {
                throw new IllegalStateException(method + " " + path + ": " + status + " " + answer);
            }
            Thread.sleep(Math.min(100L << attempt, 2000L));
        }
    }

    private static SSLContext tls(Path directory) throws Exception {
        CertificateFactory certificates = CertificateFactory.getInstance("X.509");
        Collection<? extends Certificate> chain = certificates.generateCertificates(Files.newInputStream(directory.resolve("cert.pem")));
        String pem = new String(Files.readAllBytes(directory.resolve("key.pem")), StandardCharsets.US_ASCII);
        byte[] der = Base64.getMimeDecoder().decode(pem.replaceAll("-----[A-Z ]+-----", ""));
        PrivateKey key = KeyFactory.getInstance("EC").generatePrivate(new PKCS8EncodedKeySpec(der));
        KeyStore own = KeyStore.getInstance("PKCS12");
        own.load(null, null);
        own.setKeyEntry("own", key, new char[0], chain.toArray(new Certificate[0]));
        KeyManagerFactory keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        keys.init(own, new char[0]);
        KeyStore roots = KeyStore.getInstance("PKCS12");
        roots.load(null, null);
        for (Certificate root : certificates.generateCertificates(Files.newInputStream(directory.resolve("trust.pem")))) {
            roots.setCertificateEntry("root" + roots.size(), root);
        }
        TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(roots);
        SSLContext context = SSLContext.getInstance("TLSv1.2");
        context.init(keys.getKeyManagers(), trust.getTrustManagers(), null);
        return context;
    }

    private static String read(InputStream in) throws Exception {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        byte[] part = new byte[8192];
        for (int n; in != null && (n = in.read(part)) > 0; ) {
            out.write(part, 0, n);
        }
        return new String(out.toByteArray(), StandardCharsets.UTF_8);
    }

    private static String quote(String text) {
        return '"' + text.replace("\\", "\\\\").replace("\"", "\\\"") + '"';
    }

    private static String hex(byte[] bytes) {
        return String.format("%0" + 2 * bytes.length + "x", new java.math.BigInteger(1, bytes));
    }

    @SuppressWarnings("unchecked")
    private static Map<String, Object> map(Object value) {
        return value == null ? new LinkedHashMap<String, Object>() : (Map<String, Object>) value;
    }

    private static List<?> list(Object value) {
        return value == null ? new ArrayList<Object>() : (List<?>) value;
    }

    private static String text(Map<String, Object> map, String name) {
        return map.containsKey(name) ? String.valueOf(map.get(name)) : "";
    }
}
