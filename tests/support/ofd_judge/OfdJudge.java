import java.io.ByteArrayInputStream;
import java.io.File;
import java.security.Security;
import java.security.Signature;
import java.security.MessageDigest;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashMap;
import java.util.Map;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import javax.xml.parsers.DocumentBuilderFactory;
import org.apache.fontbox.ttf.OTFParser;
import org.apache.fontbox.ttf.OpenTypeFont;
import org.bouncycastle.asn1.ASN1BitString;
import org.bouncycastle.asn1.ASN1IA5String;
import org.bouncycastle.asn1.ASN1OctetString;
import org.bouncycastle.asn1.ASN1Sequence;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;

/** Judges the last seal signature of an OFD by the standards alone: Java's ZIP and XML, BouncyCastle's SM2, fontbox. */
public final class OfdJudge {
    private static final String OFD = "http://www.ofdspec.org/2016";

    public static void main(String[] files) throws Exception {
        Security.addProvider(new BouncyCastleProvider());
        for (String file : files) {
            String said;
            try {
                said = judged(new File(file));
            } catch (Exception cause) {
                said = "BROKEN " + cause;
            }
            System.out.println(new File(file).getName() + " " + said);
        }
    }

    private static String judged(File file) throws Exception {
        Map<String, byte[]> found = new HashMap<>();
        try (ZipFile zip = new ZipFile(file)) {
            for (ZipEntry entry : java.util.Collections.list(zip.entries())) {
                found.put(entry.getName(), zip.getInputStream(entry).readAllBytes());
            }
        }
        Document list = xml(found.get(text(xml(found.get("OFD.xml")), "Signatures").replaceFirst("^/", "")));
        NodeList signatures = list.getElementsByTagNameNS(OFD, "Signature");
        Element last = (Element) signatures.item(signatures.getLength() - 1);
        String place = last.getAttribute("BaseLoc").replaceFirst("^/", "");
        byte[] description = found.get(place);
        Document signature = xml(description);
        NodeList references = signature.getElementsByTagNameNS(OFD, "Reference");
        for (int at = 0; at < references.getLength(); at++) {
            Element reference = (Element) references.item(at);
            String name = reference.getAttribute("FileRef").replaceFirst("^/", "");
            byte[] wanted = Base64.getDecoder().decode(reference.getTextContent().trim());
            if (found.get(name) == null || !Arrays.equals(wanted, sm3(found.get(name)))) {
                return "CHANGED " + name;
            }
        }
        byte[] value = found.get(text(signature, "SignedValue").replaceFirst("^/", ""));
        return seal(value, description, place) + " " + references.getLength() + " files, " + letters(found);
    }

    /** GB/T 38540: SES_Signature over the description, SESeal inside it. */
    private static String seal(byte[] value, byte[] description, String place) throws Exception {
        ASN1Sequence top = ASN1Sequence.getInstance(value);
        ASN1Sequence signed = ASN1Sequence.getInstance(top.getObjectAt(0));
        ASN1Sequence seal = ASN1Sequence.getInstance(signed.getObjectAt(1));
        if (!holds(top.getObjectAt(1), signed.getEncoded("DER"), top.getObjectAt(3))) {
            return "SIGNATURE";
        }
        if (!holds(seal.getObjectAt(1), seal.getObjectAt(0).toASN1Primitive().getEncoded("DER"), seal.getObjectAt(3))) {
            return "MAKER";
        }
        if (!Arrays.equals(ASN1BitString.getInstance(signed.getObjectAt(3)).getOctets(), sm3(description))) {
            return "DATA_HASH";
        }
        String property = ASN1IA5String.getInstance(signed.getObjectAt(4)).getString();
        return property.equals("/" + place) ? "GOOD" : "PROPERTY";
    }

    private static boolean holds(Object certificate, byte[] message, Object value) throws Exception {
        byte[] der = ASN1OctetString.getInstance(certificate).getOctets();
        X509Certificate signer = (X509Certificate) CertificateFactory.getInstance("X.509", "BC")
            .generateCertificate(new ByteArrayInputStream(der));
        Signature check = Signature.getInstance("SM3withSM2", "BC");
        check.initVerify(signer.getPublicKey());
        check.update(message);
        return check.verify(ASN1BitString.getInstance(value).getOctets());
    }

    /** How many of the characters on the page the embedded fonts draw. */
    private static String letters(Map<String, byte[]> found) throws Exception {
        int drawn = 0;
        int all = 0;
        String[][] pages = {{"Doc_0/Tpls/Tpl_0/Content.xml", "form"}, {"Doc_0/Pages/Page_0/Content.xml", "text"}};
        for (String[] page : pages) {
            OpenTypeFont font = new OTFParser().parse(new ByteArrayInputStream(found.get("Doc_0/Res/" + page[1] + ".otf")));
            NodeList codes = xml(found.get(page[0])).getElementsByTagNameNS(OFD, "TextCode");
            for (int at = 0; at < codes.getLength(); at++) {
                int[] points = codes.item(at).getTextContent().codePoints().filter(point -> point != ' ').toArray();
                for (int point : points) {
                    int glyph = font.getUnicodeCmapLookup().getGlyphId(point);
                    all++;
                    if (glyph > 0 && !font.getCFF().getFont().getType2CharString(glyph).getPath().getBounds2D().isEmpty()) {
                        drawn++;
                    }
                }
            }
        }
        return drawn + " of " + all + " letters";
    }

    private static Document xml(byte[] data) throws Exception {
        DocumentBuilderFactory factory = DocumentBuilderFactory.newInstance();
        factory.setNamespaceAware(true);
        factory.setFeature("http://apache.org/xml/features/disallow-doctype-decl", true);
        return factory.newDocumentBuilder().parse(new ByteArrayInputStream(data));
    }

    private static String text(Document document, String name) {
        return document.getElementsByTagNameNS(OFD, name).item(0).getTextContent().trim();
    }

    private static byte[] sm3(byte[] data) throws Exception {
        return MessageDigest.getInstance("SM3", "BC").digest(data);
    }
}
