package io.crossload.junit;

import io.crossload.compare.Agreement;
import java.lang.annotation.Documented;
import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.junit.jupiter.api.TestTemplate;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.platform.commons.annotation.Testable;

/**
 * Runs the vectors of a bundle as tests: the engine on the class path must answer each as recorded.
 *
 * <p>On a class, which may be empty:
 *
 * <pre>{@code
 * @ConformsTo("digits")
 * class DigitsTest {}
 * }</pre>
 *
 * <p>or on a method, in JUnit Jupiter's lifecycle; the method's body runs after each vector that agrees:
 *
 * <pre>{@code
 * @ConformsTo("digits")
 * void answersAreThoseThatWereRecorded() {}
 * }</pre>
 *
 * <p>The name of a test consists of artifact, signature and vector. A failure's message has outcome, agreement, metrics and reason; a
 * passed test publishes them as a report entry. Tolerances come from the manifest.
 * A bundle that does not load and a signature without vectors are failures.
 */
@Documented
@Target({ElementType.TYPE, ElementType.METHOD})
@Retention(RetentionPolicy.RUNTIME)
@Testable
@TestTemplate
@ExtendWith(ConformanceExtension.class)
public @interface ConformsTo {

    /**
     * {@return the bundle's folder, or an artifact with its manifest beside it: a path, relative to the working directory (the project's
     * root), or {@code classpath:} and the name of a resource}
     */
    String value();

    /** {@return the artifact's id; empty for the manifest's first artifact that the engine loads} */
    String artifact() default "";

    /** {@return the signatures' keys; empty for all signatures of the artifact} */
    String[] signatures() default {};

    /** {@return the least agreement that passes} */
    Agreement agreement() default Agreement.CLOSE;
}
