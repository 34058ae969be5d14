// Evaluates the build files in Gradle itself, without its launcher, and prints what they configure, a line each.
package build

import java.io.File
import org.gradle.api.artifacts.Dependency
import org.gradle.api.artifacts.ExternalModuleDependency
import org.gradle.api.artifacts.FileCollectionDependency
import org.gradle.api.plugins.JavaApplication
import org.gradle.api.tasks.JavaExec
import org.gradle.api.tasks.compile.JavaCompile
import org.gradle.api.tasks.testing.Test
import org.gradle.language.jvm.tasks.ProcessResources
import org.gradle.testfixtures.ProjectBuilder

fun main(arguments: Array<String>) {
    try {
        evaluated(arguments)
    } catch (error: Throwable) {
        error.printStackTrace()
        Runtime.getRuntime().halt(1)
    }
    Runtime.getRuntime().halt(0) // Gradle leaves threads behind
}

private fun evaluated(arguments: Array<String>) {
    val folder = File(arguments[0])
    val settings = Settings()
    settings.settings()
    val root = ProjectBuilder.builder().withProjectDir(folder).withName(settings.rootProject.name).build()
    arguments.drop(1).map { it.split("=") }.forEach { (name, value) ->
        root.extensions.extraProperties.set(name, value)
    }
    val name = settings.included.getValue(":client").name
    val client = ProjectBuilder.builder().withParent(root).withProjectDir(folder.resolve("client")).withName(name).build()
    client.client()
    println("coordinates: ${client.group}:${client.name}:${client.version}")
    for (configuration in listOf("api", "implementation", "testImplementation", "testRuntimeOnly")) {
        println("$configuration: ${client.configurations.getByName(configuration).dependencies.map(::shown).sorted()}")
    }
    val compile = client.tasks.getByName("compileJava") as JavaCompile
    println("compiler: ${compile.options.release.get()} ${compile.options.encoding} ${compile.options.compilerArgs}")
    val test = client.tasks.getByName("test") as Test
    println("tests: ${test.workingDir == folder} ${test.jvmArgs} ${test.testFramework::class.java.simpleName}")
    val run = client.tasks.getByName("run") as JavaExec
    println("run: ${run.workingDir == folder} ${client.extensions.getByType(JavaApplication::class.java).mainClass.get()}")
    val resources = client.tasks.getByName("processResources") as ProcessResources
    println("resources: ${resources.source.files.map { it.relativeTo(folder).path }.sorted()}")
    println("sources: ${compile.source.files.map { it.name }.sorted()}")
}

private fun shown(dependency: Dependency): String = when (dependency) {
    is FileCollectionDependency -> dependency.files.files.joinToString { "${it.name} ${it.isFile}" }
    is ExternalModuleDependency ->
        listOfNotNull(dependency.group, dependency.name, dependency.version, dependency.artifacts.firstOrNull()?.classifier).joinToString(":")
    else -> dependency.toString()
}
