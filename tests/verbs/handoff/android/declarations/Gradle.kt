// Declarations of the part of the Android Gradle plugin's documented DSL (8.7), and of Gradle's, that the build files use.
@file:Suppress("UNUSED_PARAMETER", "unused")

package build

class Plugin

class Plugins {
    fun id(name: String): Plugin = TODO()

    infix fun Plugin.version(version: String): Plugin = TODO()

    infix fun Plugin.apply(apply: Boolean): Plugin = TODO()
}

fun plugins(block: Plugins.() -> Unit): Unit = TODO()

interface BaseFlavor {
    var minSdk: Int?
    var dimension: String?
    var testInstrumentationRunner: String?
    var applicationId: String?
    var targetSdk: Int?
    var versionCode: Int?
    var versionName: String?
}

interface Flavors {
    fun create(name: String, block: BaseFlavor.() -> Unit): BaseFlavor
}

interface AndroidResources {
    val noCompress: MutableCollection<String>
}

enum class JavaVersion { VERSION_17 }

interface CompileOptions {
    var sourceCompatibility: JavaVersion
    var targetCompatibility: JavaVersion
}

interface KotlinOptions {
    var jvmTarget: String
}

interface Extension {
    var namespace: String?
    var compileSdk: Int?
    val flavorDimensions: MutableList<String>

    fun defaultConfig(block: BaseFlavor.() -> Unit)

    fun productFlavors(block: Flavors.() -> Unit)

    fun androidResources(block: AndroidResources.() -> Unit)

    fun compileOptions(block: CompileOptions.() -> Unit)

    fun kotlinOptions(block: KotlinOptions.() -> Unit)
}

fun android(block: Extension.() -> Unit): Unit = TODO()

class Files

class Dependencies {
    fun api(notation: Files): Unit = TODO()

    fun implementation(notation: Any): Unit = TODO()

    fun androidTestImplementation(notation: String): Unit = TODO()

    fun project(path: String): Any = TODO()

    operator fun String.invoke(notation: String): Unit = TODO()
}

fun files(vararg paths: String): Files = TODO()

fun dependencies(block: Dependencies.() -> Unit): Unit = TODO()

class Repositories {
    fun google(): Unit = TODO()

    fun mavenCentral(): Unit = TODO()

    fun gradlePluginPortal(): Unit = TODO()
}

class Resolution {
    fun repositories(block: Repositories.() -> Unit): Unit = TODO()
}

fun pluginManagement(block: Resolution.() -> Unit): Unit = TODO()

fun dependencyResolutionManagement(block: Resolution.() -> Unit): Unit = TODO()

class Project(var name: String)

val rootProject: Project get() = TODO()

fun include(vararg paths: String): Unit = TODO()
