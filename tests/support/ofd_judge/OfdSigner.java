import java.nio.file.Files;
import java.nio.file.Path;
import java.io.ByteArrayInputStream;
import java.security.KeyFactory;
import java.security.MessageDigest;
import java.security.PrivateKey;
import java.security.Security;
import java.security.Signature;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.List;
import org.bouncycastle.asn1.ASN1EncodableVector;
import org.bouncycastle.asn1.ASN1GeneralizedTime;
import org.bouncycastle.asn1.ASN1Integer;
import org.bouncycastle.asn1.ASN1ObjectIdentifier;
import org.bouncycastle.asn1.ASN1Sequence;
import org.bouncycastle.asn1.DERBitString;
import org.bouncycastle.asn1.DERIA5String;
import org.bouncycastle.asn1.DEROctetString;
import org.bouncycastle.asn1.DERSequence;
import org.bouncycastle.asn1.DERSet;
import org.bouncycastle.asn1.DERUTCTime;
import org.bouncycastle.asn1.cms.Attribute;
import org.bouncycastle.asn1.cms.AttributeTable;
import org.bouncycastle.asn1.cms.CMSAttributes;
import org.bouncycastle.cert.jcajce.JcaCertStore;
import org.bouncycastle.cms.CMSProcessableByteArray;
import org.bouncycastle.cms.CMSSignedDataGenerator;
import org.bouncycastle.cms.jcajce.JcaSimpleSignerInfoGeneratorBuilder;
import org.bouncycastle.jce.provider.BouncyCastleProvider;

/** Another maker's signature values over a Signature.xml, by BouncyCastle: KEY CERTIFICATE SEAL XML LOCATION TIME OUT. */
public final class OfdSigner {
    public static void main(String[] given) throws Exception {
        Security.addProvider(new BouncyCastleProvider());
        byte[] secret = Files.readAllBytes(Path.of(given[0]));
        PrivateKey key = KeyFactory.getInstance("EC", "BC").generatePrivate(new PKCS8EncodedKeySpec(secret));
        byte[] certificate = Files.readAllBytes(Path.of(given[1]));
        X509Certificate signer = (X509Certificate) CertificateFactory.getInstance("X.509", "BC")
            .generateCertificate(new ByteArrayInputStream(certificate));
        byte[] xml = Files.readAllBytes(Path.of(given[3]));
        Files.write(Path.of(given[6], "cms"), cms(key, signer, xml, given[5]));
        byte[] seal = Files.readAllBytes(Path.of(given[2]));
        Files.write(Path.of(given[6], "ses"), ses(key, certificate, seal, xml, given[4], given[5]));
    }

    /** RFC 5652 with signed attributes, detached. */
    private static byte[] cms(PrivateKey key, X509Certificate signer, byte[] xml, String time) throws Exception {
        ASN1EncodableVector attributes = new ASN1EncodableVector();
        attributes.add(new Attribute(CMSAttributes.signingTime, new DERSet(new DERUTCTime(time.substring(2)))));
        CMSSignedDataGenerator generator = new CMSSignedDataGenerator();
        generator.addSignerInfoGenerator(
            new JcaSimpleSignerInfoGeneratorBuilder().setProvider("BC")
                .setSignedAttributeGenerator(new AttributeTable(attributes)).build("SM3withSM2", key, signer));
        generator.addCertificates(new JcaCertStore(List.of(signer)));
        return generator.generate(new CMSProcessableByteArray(xml), false).toASN1Structure().getEncoded("DER");
    }

    /** GB/T 38540 6.2. */
    private static byte[] ses(PrivateKey key, byte[] certificate, byte[] seal, byte[] xml, String location, String time)
        throws Exception {
        ASN1EncodableVector signed = new ASN1EncodableVector();
        signed.add(new ASN1Integer(4));
        signed.add(ASN1Sequence.getInstance(seal));
        signed.add(new ASN1GeneralizedTime(time));
        signed.add(new DERBitString(MessageDigest.getInstance("SM3", "BC").digest(xml)));
        signed.add(new DERIA5String(location));
        DERSequence content = new DERSequence(signed);
        Signature make = Signature.getInstance("SM3withSM2", "BC");
        make.initSign(key);
        make.update(content.getEncoded("DER"));
        ASN1EncodableVector whole = new ASN1EncodableVector();
        whole.add(content);
        whole.add(new DEROctetString(certificate));
        whole.add(new ASN1ObjectIdentifier("1.2.156.10197.1.501"));
        whole.add(new DERBitString(make.sign()));
        return new DERSequence(whole).getEncoded("DER");
    }
}
