package io.crossload.junit;

import java.lang.reflect.Method;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.extension.BeforeTestExecutionCallback;
import org.junit.jupiter.api.extension.Extension;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ExtensionContext.Namespace;
import org.junit.jupiter.api.extension.ExtensionContext.Store.CloseableResource;
import org.junit.jupiter.api.extension.TestTemplateInvocationContext;
import org.junit.jupiter.api.extension.TestTemplateInvocationContextProvider;

/** {@link ConformsTo} on a method: one invocation a vector; the comparison comes before the method's body. */
final class ConformanceExtension implements TestTemplateInvocationContextProvider {

    @Override
    public boolean supportsTestTemplate(ExtensionContext context) {
        return context.getTestMethod()
                .map(method -> method.isAnnotationPresent(ConformsTo.class))
                .orElse(false);
    }

    @Override
    public Stream<TestTemplateInvocationContext> provideTestTemplateInvocationContexts(ExtensionContext context) {
        Method method = context.getRequiredTestMethod();
        Conformance conformance = Conformance.open(
                method.getAnnotation(ConformsTo.class),
                method.getDeclaringClass().getClassLoader());
        // The store lives until all invocations are done; the stream does not.
        CloseableResource closing = conformance::close;
        context.getStore(Namespace.create(ConformanceExtension.class, method)).put("bundle", closing);
        return conformance.cases().stream().map(asked -> invocation(conformance, asked));
    }

    private static TestTemplateInvocationContext invocation(Conformance conformance, Conformance.Case asked) {
        BeforeTestExecutionCallback check =
                context -> context.publishReportEntry("crossload", conformance.check(asked));
        return new TestTemplateInvocationContext() {
            @Override
            public String getDisplayName(int index) {
                return asked.name();
            }

            @Override
            public List<Extension> getAdditionalExtensions() {
                return List.of(check);
            }
        };
    }
}
