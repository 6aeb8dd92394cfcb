import java.nio.file.Path;
import java.security.Security;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.ofdrw.reader.OFDReader;
import org.ofdrw.sign.verify.OFDValidator;
import org.ofdrw.sign.verify.container.SESV4ValidateContainer;

/** What ofdrw says of a file's seals. */
public final class OfdrwJudge {
    public static void main(String[] files) throws Exception {
        Security.addProvider(new BouncyCastleProvider());
        try (OFDReader reader = new OFDReader(Path.of(files[0])); OFDValidator validator = new OFDValidator(reader)) {
            validator.setValidator(new SESV4ValidateContainer());
            validator.exeValidate();
            System.out.println("GOOD");
        } catch (Exception cause) {
            System.out.println(cause);
        }
    }
}
