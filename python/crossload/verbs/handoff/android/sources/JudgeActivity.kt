package io.crossload.android.judge

import android.app.Activity
import android.os.Bundle
import android.widget.Button
import android.widget.LinearLayout
import android.widget.ScrollView
import android.widget.TextView
import io.crossload.android.EngineOptions
import io.crossload.android.Handed
import java.io.File
import kotlin.concurrent.thread

/** A button for each delegate: it asks the model every recorded request here and shows what was found. */
class JudgeActivity : Activity() {
    override fun onCreate(state: Bundle?) {
        super.onCreate(state)
        val found = TextView(this).apply { setTextIsSelectable(true) }
        val rows = LinearLayout(this).apply { orientation = LinearLayout.VERTICAL }
        for (words in DELEGATES) {
            val button = Button(this).apply { text = words }
            button.setOnClickListener { judge(words, found) }
            rows.addView(button)
        }
        rows.addView(found)
        setContentView(ScrollView(this).apply { addView(rows) })
    }

    private fun judge(words: String, found: TextView) {
        found.text = "…"
        val answers = File(getExternalFilesDir(null), "crossload-$words.json")
        thread {
            val said = try {
                "$words: ${Handed.judge(this, EngineOptions.of(words), answers)}\n\nadb pull $answers"
            } catch (error: Exception) {
                "$words: $error"
            } catch (error: LinkageError) {
                "$words: $error"
            }
            runOnUiThread { found.text = said }
        }
    }

    private companion object {
        val DELEGATES = listOf("cpu", "xnnpack", "gpu-float32", "gpu", "nnapi-float32", "nnapi", "npu")
    }
}
