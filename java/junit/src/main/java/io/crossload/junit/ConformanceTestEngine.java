package io.crossload.junit;

import java.util.Optional;
import org.junit.platform.engine.EngineDiscoveryRequest;
import org.junit.platform.engine.EngineExecutionListener;
import org.junit.platform.engine.ExecutionRequest;
import org.junit.platform.engine.TestDescriptor;
import org.junit.platform.engine.UniqueId;
import org.junit.platform.engine.discovery.ClassSelector;
import org.junit.platform.engine.discovery.DiscoverySelectors;
import org.junit.platform.engine.discovery.UniqueIdSelector;
import org.junit.platform.engine.reporting.ReportEntry;
import org.junit.platform.engine.support.descriptor.AbstractTestDescriptor;
import org.junit.platform.engine.support.descriptor.ClassSource;
import org.junit.platform.engine.support.descriptor.EngineDescriptor;
import org.junit.platform.engine.support.discovery.EngineDiscoveryRequestResolver;
import org.junit.platform.engine.support.discovery.SelectorResolver;
import org.junit.platform.engine.support.hierarchical.EngineExecutionContext;
import org.junit.platform.engine.support.hierarchical.HierarchicalTestEngine;
import org.junit.platform.engine.support.hierarchical.Node;

/** {@link ConformsTo} on a class. JUnit Jupiter does not run such a class, because it has no test method. */
public final class ConformanceTestEngine extends HierarchicalTestEngine<ConformanceTestEngine.Execution> {
    private static final EngineDiscoveryRequestResolver<EngineDescriptor> RESOLVER =
            EngineDiscoveryRequestResolver.<EngineDescriptor>builder()
                    .addClassContainerSelectorResolver(type -> type.isAnnotationPresent(ConformsTo.class))
                    .addSelectorResolver(new AnnotatedClasses())
                    .build();

    /** For java.util.ServiceLoader. */
    public ConformanceTestEngine() {}

    /** The listener for the report entries of passed tests. */
    record Execution(EngineExecutionListener listener) implements EngineExecutionContext {}

    @Override
    public String getId() {
        return "crossload";
    }

    @Override
    public TestDescriptor discover(EngineDiscoveryRequest request, UniqueId id) {
        EngineDescriptor root = new EngineDescriptor(id, "crossload");
        RESOLVER.resolve(request, root);
        return root;
    }

    @Override
    protected Execution createExecutionContext(ExecutionRequest request) {
        return new Execution(request.getEngineExecutionListener());
    }

    private static final class AnnotatedClasses implements SelectorResolver {
        @Override
        public Resolution resolve(ClassSelector selector, Context context) {
            Class<?> type = selector.getJavaClass();
            if (!type.isAnnotationPresent(ConformsTo.class)) {
                return Resolution.unresolved();
            }
            return context.addToParent(parent -> Optional.of(new AnnotatedClass(parent.getUniqueId(), type)))
                    .map(Match::exact)
                    .map(Resolution::match)
                    .orElseGet(Resolution::unresolved);
        }

        // A vector's id selects its class: the vectors are unknown until the bundle is open.
        @Override
        public Resolution resolve(UniqueIdSelector selector, Context context) {
            return selector.getUniqueId().getSegments().stream()
                    .filter(segment -> segment.getType().equals("class"))
                    .findFirst()
                    .flatMap(segment -> context.resolve(DiscoverySelectors.selectClass(segment.getValue())))
                    .map(Match::exact)
                    .map(Resolution::match)
                    .orElseGet(Resolution::unresolved);
        }
    }

    private static final class AnnotatedClass extends AbstractTestDescriptor implements Node<Execution> {
        private final Class<?> type;

        AnnotatedClass(UniqueId parent, Class<?> type) {
            super(parent.append("class", type.getName()), type.getSimpleName(), ClassSource.from(type));
            this.type = type;
        }

        @Override
        public Type getType() {
            return Type.CONTAINER;
        }

        @Override
        public boolean mayRegisterTests() {
            return true;
        }

        @Override
        public Execution execute(Execution execution, DynamicTestExecutor executor) throws InterruptedException {
            try (Conformance conformance =
                    Conformance.open(type.getAnnotation(ConformsTo.class), type.getClassLoader())) {
                for (Conformance.Case asked : conformance.cases()) {
                    OneVector test = new OneVector(getUniqueId(), conformance, asked);
                    addChild(test);
                    executor.execute(test);
                }
                executor.awaitFinished();
            }
            return execution;
        }
    }

    private static final class OneVector extends AbstractTestDescriptor implements Node<Execution> {
        private final Conformance conformance;
        private final Conformance.Case asked;

        // Without a source: with the class as source Surefire takes all vectors for reruns of one nameless test.
        OneVector(UniqueId parent, Conformance conformance, Conformance.Case asked) {
            super(parent.append("vector", asked.name()), asked.name());
            this.conformance = conformance;
            this.asked = asked;
        }

        @Override
        public Type getType() {
            return Type.TEST;
        }

        @Override
        public Execution execute(Execution execution, DynamicTestExecutor executor) {
            String judged = conformance.check(asked);
            execution.listener().reportingEntryPublished(this, ReportEntry.from("crossload", judged));
            return execution;
        }
    }
}
