import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Reads one JSON text (RFC 8259) into maps, lists, strings, doubles, booleans and null. */
final class Json {
    private final String text;
    private int at;

    Json(String text) {
        this.text = text;
    }

    Object value() {
        space();
        char first = text.charAt(at);
        if (first == '{') {
            Map<String, Object> map = new LinkedHashMap<>();
            for (at++, space(); text.charAt(at) != '}'; ) {
                String name = string();
                space();
                at++;
                map.put(name, value());
                comma();
            }
            at++;
            return map;
        }
        if (first == '[') {
            List<Object> list = new ArrayList<>();
            for (at++, space(); text.charAt(at) != ']'; ) {
                list.add(value());
                comma();
            }
            at++;
            return list;
        }
        if (first == '"') {
            return string();
        }
        int from = at;
        while (at < text.length() && "+-.eE0123456789truefalsn".indexOf(text.charAt(at)) >= 0) {
            at++;
        }
        String word = text.substring(from, at);
        return word.equals("true") ? Boolean.TRUE : word.equals("false") ? Boolean.FALSE : word.equals("null") ? null : (Object) Double.valueOf(word);
    }

    private void comma() {
        space();
        if (text.charAt(at) == ',') {
            at++;
            space();
        }
    }

    private void space() {
        while (at < text.length() && text.charAt(at) <= ' ') {
            at++;
        }
    }

    private String string() {
        StringBuilder out = new StringBuilder();
        for (at++; text.charAt(at) != '"'; at++) {
            char next = text.charAt(at);
            if (next != '\\') {
                out.append(next);
                continue;
            }
            char escape = text.charAt(++at);
            int known = "bfnrt".indexOf(escape);
            if (escape == 'u') {
                out.append((char) Integer.parseInt(text.substring(at + 1, at + 5), 16));
                at += 4;
            } else {
                out.append(known < 0 ? escape : "\b\f\n\r\t".charAt(known));
            }
        }
        at++;
        return out.toString();
    }
}
