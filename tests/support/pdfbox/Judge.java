import java.io.ByteArrayInputStream;
import java.io.File;
import java.nio.file.Files;
import java.security.MessageDigest;
import java.security.Security;
import java.security.cert.CertPathBuilder;
import java.security.cert.CertStore;
import java.security.cert.CertificateFactory;
import java.security.cert.CollectionCertStoreParameters;
import java.security.cert.PKIXBuilderParameters;
import java.security.cert.TrustAnchor;
import java.security.cert.X509CertSelector;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.Date;
import java.util.List;
import org.apache.pdfbox.cos.COSDictionary;
import org.apache.pdfbox.pdmodel.PDDocument;
import org.apache.pdfbox.pdmodel.interactive.digitalsignature.PDSignature;
import org.bouncycastle.asn1.ASN1InputStream;
import org.bouncycastle.asn1.cms.Attribute;
import org.bouncycastle.asn1.pkcs.PKCSObjectIdentifiers;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.cms.CMSProcessableByteArray;
import org.bouncycastle.cms.CMSSignedData;
import org.bouncycastle.cms.SignerInformation;
import org.bouncycastle.cms.jcajce.JcaSimpleSignerInfoVerifierBuilder;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.tsp.TimeStampToken;
import org.bouncycastle.util.Store;

/** Reads PDFs with PDFBox and judges their signatures with BouncyCastle: one line a signature, for tests to read. */
public final class Judge {
    private static final String PROVIDER = BouncyCastleProvider.PROVIDER_NAME;

    /** Arguments: the root's certificate, the moment to judge at (seconds), and the files. */
    public static void main(String[] arguments) throws Exception {
        Security.addProvider(new BouncyCastleProvider());
        X509Certificate root;
        try (ByteArrayInputStream in = new ByteArrayInputStream(Files.readAllBytes(new File(arguments[0]).toPath()))) {
            root = (X509Certificate) CertificateFactory.getInstance("X.509", PROVIDER).generateCertificate(in);
        }
        Date at = new Date(Long.parseLong(arguments[1]) * 1000);
        for (String name : Arrays.asList(arguments).subList(2, arguments.length)) {
            try {
                judge(new File(name), root, at);
            } catch (Exception error) {
                System.out.println(new File(name).getName() + " unreadable " + error.getClass().getSimpleName());
            }
        }
    }

    private static void judge(File file, X509Certificate root, Date at) throws Exception {
        byte[] bytes = Files.readAllBytes(file.toPath());
        try (PDDocument document = PDDocument.load(bytes)) {
            COSDictionary catalog = document.getDocumentCatalog().getCOSObject();
            boolean store = catalog.getDictionaryObject("DSS") != null;
            List<PDSignature> found = new ArrayList<>(document.getSignatureDictionaries());
            found.sort((a, b) -> a.getByteRange()[2] - b.getByteRange()[2]);
            System.out.println(file.getName() + " signatures " + found.size() + " dss " + store);
            for (PDSignature signature : found) {
                int[] range = signature.getByteRange();
                boolean whole = range[0] == 0 && range[2] + range[3] == bytes.length;
                byte[] content = signature.getSignedContent(bytes);
                String verdict;
                try {
                    verdict = "ETSI.RFC3161".equals(signature.getSubFilter())
                        ? timestamp(signature.getContents(bytes), content, root)
                        : signature(signature.getContents(bytes), content, root, at);
                } catch (Exception error) {
                    verdict = "broken " + error.getClass().getSimpleName();
                }
                System.out.println(file.getName() + " " + signature.getSubFilter() + " " + verdict
                    + (whole ? " whole" : " part"));
            }
        }
    }

    private static String signature(byte[] contents, byte[] content, X509Certificate root, Date at) throws Exception {
        CMSSignedData cms = new CMSSignedData(new CMSProcessableByteArray(content), unpadded(contents));
        SignerInformation signer = cms.getSignerInfos().getSigners().iterator().next();
        X509Certificate certificate = certificateOf(cms.getCertificates(), signer);
        boolean holds = signer.verify(new JcaSimpleSignerInfoVerifierBuilder().setProvider(PROVIDER).build(certificate));
        String stamped = "";
        if (signer.getUnsignedAttributes() != null) {
            Attribute token = signer.getUnsignedAttributes().get(PKCSObjectIdentifiers.id_aa_signatureTimeStampToken);
            stamped = " stamp-" + timestamp(
                token.getAttrValues().getObjectAt(0).toASN1Primitive().getEncoded(), signer.getSignature(), root);
        }
        return (holds ? "valid" : "invalid") + trusted(certificate, cms.getCertificates(), root, at) + stamped;
    }

    private static String timestamp(byte[] contents, byte[] content, X509Certificate root) throws Exception {
        TimeStampToken token = new TimeStampToken(new CMSSignedData(unpadded(contents)));
        byte[] digest = MessageDigest.getInstance(token.getTimeStampInfo().getHashAlgorithm().getAlgorithm().getId(),
            PROVIDER).digest(content);
        if (!Arrays.equals(digest, token.getTimeStampInfo().getMessageImprintDigest())) {
            return "imprint-differs";
        }
        X509Certificate certificate = certificateOf(token.getCertificates(), token.toCMSSignedData().getSignerInfos()
            .getSigners().iterator().next());
        token.validate(new JcaSimpleSignerInfoVerifierBuilder().setProvider(PROVIDER).build(certificate));
        return "valid" + trusted(certificate, token.getCertificates(), root, token.getTimeStampInfo().getGenTime());
    }

    private static byte[] unpadded(byte[] contents) throws Exception {
        try (ASN1InputStream in = new ASN1InputStream(contents)) {
            return in.readObject().getEncoded("DER");
        }
    }

    @SuppressWarnings("unchecked")
    private static X509Certificate certificateOf(Store<X509CertificateHolder> store, SignerInformation signer)
            throws Exception {
        Collection<X509CertificateHolder> found = store.getMatches(signer.getSID());
        return new JcaX509CertificateConverter().setProvider(PROVIDER).getCertificate(found.iterator().next());
    }

    private static String trusted(X509Certificate signer, Store<X509CertificateHolder> store, X509Certificate root,
            Date at) {
        try {
            List<X509Certificate> all = new ArrayList<>();
            for (X509CertificateHolder holder : store.getMatches(null)) {
                all.add(new JcaX509CertificateConverter().setProvider(PROVIDER).getCertificate(holder));
            }
            X509CertSelector target = new X509CertSelector();
            target.setCertificate(signer);
            PKIXBuilderParameters parameters =
                new PKIXBuilderParameters(Collections.singleton(new TrustAnchor(root, null)), target);
            parameters.setRevocationEnabled(false);
            parameters.setDate(at);
            parameters.addCertStore(CertStore.getInstance("Collection", new CollectionCertStoreParameters(all)));
            CertPathBuilder.getInstance("PKIX", PROVIDER).build(parameters);
            return " trusted";
        } catch (Exception error) {
            return " untrusted";
        }
    }
}
