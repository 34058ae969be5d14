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
 * The vectors of a bundle as tests: each is fed to the engine on the class path, and its answer must agree with the recorded one.
 *
 * <p>On a class, which may be empty:
 *
 * <pre>{@code
 * @ConformsTo("digits")
 * class DigitsTest {}
 * }</pre>
 *
 * <p>or on a method, whose body then runs after each vector that agrees, inside the class's JUnit Jupiter lifecycle:
 *
 * <pre>{@code
 * @ConformsTo("digits")
 * void answersAreThoseThatWereRecorded() {}
 * }</pre>
 *
 * <p>A test's name is artifact, signature and vector. The message of one that fails says outcome, agreement, metrics and reason; one that
 * passes publishes them as a report entry. Tolerances are the manifest's. A bundle that does not load, or has no vector of a
 * signature, is a failure.
 */
@Documented
@Target({ElementType.TYPE, ElementType.METHOD})
@Retention(RetentionPolicy.RUNTIME)
@Testable
@TestTemplate
@ExtendWith(ConformanceExtension.class)
public @interface ConformsTo {

    /**
     * The bundle's folder, or an artifact with its manifest beside it: a path relative to the project's root (the working directory), or
     * {@code classpath:} and a resource's name.
     */
    String value();

    /** The artifact's id; empty for the first of the manifest that the engine loads. */
    String artifact() default "";

    /** The signatures; none for all that the artifact has. */
    String[] signatures() default {};

    /** The least agreement that passes. */
    Agreement agreement() default Agreement.CLOSE;
}
