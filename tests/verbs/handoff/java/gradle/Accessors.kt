// What Gradle's Kotlin DSL brings beside Gradle's API: blocks and accessors, as far as the build files use them, over the real API.
@file:Suppress("unused")

package build

import org.gradle.api.DomainObjectCollection
import org.gradle.api.Project
import org.gradle.api.Task
import org.gradle.api.artifacts.Dependency
import org.gradle.api.artifacts.dsl.DependencyHandler
import org.gradle.api.artifacts.dsl.RepositoryHandler
import org.gradle.api.initialization.ProjectDescriptor
import org.gradle.api.plugins.JavaApplication
import org.gradle.api.tasks.TaskCollection
import org.gradle.api.tasks.TaskContainer
import org.gradle.api.tasks.TaskProvider

class Plugins(private val project: Project) {
    val `java-library`: Unit get() = project.pluginManager.apply("java-library")
    val application: Unit get() = project.pluginManager.apply("application")
}

fun Project.plugins(block: Plugins.() -> Unit) = Plugins(this).block()

fun Project.repositories(block: RepositoryHandler.() -> Unit) = repositories.block()

class Dependencies(private val handler: DependencyHandler) {
    fun api(notation: Any): Dependency? = handler.add("api", notation)

    fun implementation(notation: Any): Dependency? = handler.add("implementation", notation)

    fun testImplementation(notation: Any): Dependency? = handler.add("testImplementation", notation)

    fun testRuntimeOnly(notation: Any): Dependency? = handler.add("testRuntimeOnly", notation)
}

fun Project.dependencies(block: Dependencies.() -> Unit) = Dependencies(dependencies).block()

fun Project.application(block: JavaApplication.() -> Unit) = extensions.getByType(JavaApplication::class.java).block()

inline fun <reified T : Task> TaskContainer.withType(): TaskCollection<T> = withType(T::class.java)

inline fun <reified T : Task> TaskContainer.named(name: String, noinline block: T.() -> Unit): TaskProvider<T> =
    named(name, T::class.java) { block(this) }

/** The part of Gradle's Settings that the settings file uses. */
class Settings {
    val rootProject = Named("")
    val included = linkedMapOf<String, Named>()

    fun include(vararg paths: String) = paths.forEach { included[":$it"] = Named(it) }

    fun project(path: String): Named = included.getValue(path)

    class Named(var name: String)
}
