// The part of androidx.test's published API that the test on a device calls; nothing runs.
package androidx.test.platform.app

import android.app.Instrumentation
import android.os.Bundle

object InstrumentationRegistry {
    @JvmStatic
    fun getInstrumentation(): Instrumentation = TODO()

    @JvmStatic
    fun getArguments(): Bundle = TODO()
}
