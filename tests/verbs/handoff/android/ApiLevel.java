import java.io.File;
import java.io.FileInputStream;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import org.codehaus.mojo.animal_sniffer.SignatureChecker;
import org.codehaus.mojo.animal_sniffer.logging.PrintWriterLogger;

/** Prints what class files call that a signature file does not list: {@code ApiLevel.java SIGNATURES CLASSES IGNORED...}. */
public class ApiLevel {
    public static void main(String[] words) throws Exception {
        HashSet<String> ignored = new HashSet<>(Arrays.asList(words).subList(2, words.length));
        SignatureChecker checker =
                new SignatureChecker(new FileInputStream(words[0]), ignored, new PrintWriterLogger(System.out));
        checker.setSourcePath(List.of());
        checker.process(new File(words[1]));
    }
}
