import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.Security;
import java.security.cert.X509Certificate;
import java.util.Calendar;
import java.util.Collections;
import java.util.TimeZone;
import org.apache.pdfbox.pdmodel.PDDocument;
import org.apache.pdfbox.pdmodel.PDPage;
import org.apache.pdfbox.pdmodel.PDPageContentStream;
import org.apache.pdfbox.pdmodel.PDResources;
import org.apache.pdfbox.pdmodel.common.PDRectangle;
import org.apache.pdfbox.pdmodel.common.PDStream;
import org.apache.pdfbox.pdmodel.graphics.form.PDFormXObject;
import org.apache.pdfbox.pdmodel.interactive.annotation.PDAnnotationWidget;
import org.apache.pdfbox.pdmodel.interactive.annotation.PDAppearanceDictionary;
import org.apache.pdfbox.pdmodel.interactive.annotation.PDAppearanceStream;
import org.apache.pdfbox.pdmodel.interactive.digitalsignature.PDSignature;
import org.apache.pdfbox.pdmodel.interactive.digitalsignature.SignatureInterface;
import org.apache.pdfbox.pdmodel.interactive.digitalsignature.SignatureOptions;
import org.apache.pdfbox.pdmodel.interactive.form.PDAcroForm;
import org.apache.pdfbox.pdmodel.interactive.form.PDSignatureField;
import org.bouncycastle.asn1.ASN1ObjectIdentifier;
import org.bouncycastle.cert.jcajce.JcaCertStore;
import org.bouncycastle.cms.CMSProcessableByteArray;
import org.bouncycastle.cms.CMSSignedDataGenerator;
import org.bouncycastle.cms.jcajce.JcaSignerInfoGeneratorBuilder;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.bouncycastle.operator.jcajce.JcaDigestCalculatorProviderBuilder;

/** Signs PDFs with PDFBox, the CMS by BouncyCastle as its generator leaves it: BER, no ESS attribute. */
public final class Maker {
    private static final char[] PASSWORD = "hand".toCharArray();

    /** Arguments: a PKCS #12 file, then for each document source, target and what to draw (none, or x1,y1,x2,y2). */
    public static void main(String[] arguments) throws Exception {
        Security.addProvider(new BouncyCastleProvider());
        KeyStore store = KeyStore.getInstance("PKCS12");
        try (InputStream in = new FileInputStream(arguments[0])) {
            store.load(in, PASSWORD);
        }
        for (int at = 1; at < arguments.length; at += 3) {
            sign(store, new File(arguments[at]), new File(arguments[at + 1]), arguments[at + 2]);
        }
    }

    private static void sign(KeyStore store, File source, File target, String box) throws Exception {
        try (PDDocument document = PDDocument.load(source); OutputStream out = Files.newOutputStream(target.toPath());
                SignatureOptions options = new SignatureOptions()) {
            PDSignature signature = new PDSignature();
            signature.setFilter(PDSignature.FILTER_ADOBE_PPKLITE);
            signature.setSubFilter(PDSignature.SUBFILTER_ADBE_PKCS7_DETACHED);
            signature.setName("Hand");
            signature.setReason("approved");
            Calendar moment = Calendar.getInstance(TimeZone.getTimeZone("UTC"));
            moment.setTimeInMillis(1780286400000L);
            signature.setSignDate(moment);
            if (!box.equals("none")) {
                options.setVisualSignature(template(document, box.split(",")));
                options.setPage(0);
            }
            document.addSignature(signature, new ByBouncyCastle(store), options);
            document.saveIncremental(out);
        }
    }

    /** A document with one signature field, as PDFBox wants a visible signature described. */
    private static InputStream template(PDDocument target, String[] box) throws IOException {
        try (PDDocument document = new PDDocument(); ByteArrayOutputStream out = new ByteArrayOutputStream()) {
            PDPage page = new PDPage(target.getPage(0).getMediaBox());
            document.addPage(page);
            PDAcroForm form = new PDAcroForm(document);
            document.getDocumentCatalog().setAcroForm(form);
            PDSignatureField field = new PDSignatureField(form);
            PDAnnotationWidget widget = field.getWidgets().get(0);
            form.getFields().add(field);
            form.setSignaturesExist(true);
            form.setAppendOnly(true);
            form.getCOSObject().setDirect(true);
            float x = Float.parseFloat(box[0]);
            float y = Float.parseFloat(box[1]);
            PDRectangle rectangle = new PDRectangle(x, y, Float.parseFloat(box[2]) - x, Float.parseFloat(box[3]) - y);
            widget.setRectangle(rectangle);
            PDFormXObject look = new PDFormXObject(new PDStream(document));
            look.setResources(new PDResources());
            look.setFormType(1);
            look.setBBox(new PDRectangle(rectangle.getWidth(), rectangle.getHeight()));
            PDAppearanceStream stream = new PDAppearanceStream(look.getCOSObject());
            PDAppearanceDictionary appearance = new PDAppearanceDictionary();
            appearance.getCOSObject().setDirect(true);
            appearance.setNormalAppearance(stream);
            widget.setAppearance(appearance);
            try (PDPageContentStream content = new PDPageContentStream(document, stream)) {
                content.setNonStrokingColor(0.2f, 0.4f, 0.8f);
                content.addRect(2, 2, rectangle.getWidth() - 4, rectangle.getHeight() - 4);
                content.fill();
            }
            document.save(out);
            return new java.io.ByteArrayInputStream(out.toByteArray());
        }
    }

    private static final class ByBouncyCastle implements SignatureInterface {
        private final KeyStore store;

        ByBouncyCastle(KeyStore store) {
            this.store = store;
        }

        @Override
        public byte[] sign(InputStream content) throws IOException {
            try {
                String alias = Collections.list(store.aliases()).get(0);
                PrivateKey key = (PrivateKey) store.getKey(alias, PASSWORD);
                X509Certificate certificate = (X509Certificate) store.getCertificate(alias);
                CMSSignedDataGenerator generator = new CMSSignedDataGenerator();
                generator.addSignerInfoGenerator(new JcaSignerInfoGeneratorBuilder(
                    new JcaDigestCalculatorProviderBuilder().build())
                    .build(new JcaContentSignerBuilder("SHA256WithRSA").build(key), certificate));
                generator.addCertificates(new JcaCertStore(Collections.singletonList(certificate)));
                byte[] bytes = content.readAllBytes();
                return generator.generate(new CMSProcessableByteArray(
                    new ASN1ObjectIdentifier("1.2.840.113549.1.7.1"), bytes), false).getEncoded();
            } catch (Exception error) {
                throw new IOException(error);
            }
        }
    }
}
