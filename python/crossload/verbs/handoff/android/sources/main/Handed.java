package io.crossload.android;

import android.content.Context;
import android.os.Build;
import java.io.File;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStreamWriter;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;

/** The handed-over model on this device. */
public final class Handed {
    /** The folder of the model among the assets. */
    public static final String FOLDER = "crossload/";

    private Handed() {}

    /** The bundle among the app's assets. */
    public static HandedBundle bundle(Context context) throws IOException {
        return HandedBundle.open(path -> context.getAssets().open(FOLDER + path));
    }

    /** The model, loaded for typed calls. */
    public static ModelCalls open(Context context, EngineOptions options) throws IOException {
        HandedBundle bundle = bundle(context);
        return new ModelCalls(bundle, Engines.load(context, bundle, options));
    }

    /** Judges every recorded request here, and writes the raw answers into a file; if that fails, there is no file. */
    public static Conformance judge(Context context, EngineOptions options, File answers) throws IOException {
        HandedBundle bundle = bundle(context);
        File part = new File(answers.getPath() + ".part");
        Conformance found;
        try (Writer writer = new OutputStreamWriter(new FileOutputStream(part), StandardCharsets.UTF_8)) {
            Conformance.Loader loader = () -> Engines.load(context, bundle, options);
            found = Conformance.run(bundle, loader, Engines.NAME, device(options), writer);
        }
        if (!part.renameTo(answers)) {
            throw new IOException(answers + " cannot be written");
        }
        return found;
    }

    /** Words about this device and how it ran the model. */
    public static Map<String, String> device(EngineOptions options) {
        Map<String, String> words = new LinkedHashMap<>();
        words.put("name", Build.MANUFACTURER + " " + Build.MODEL);
        words.put("soc", Build.VERSION.SDK_INT >= 31 ? Build.SOC_MANUFACTURER + " " + Build.SOC_MODEL : Build.HARDWARE);
        words.put("os", "Android " + Build.VERSION.RELEASE + " (API " + Build.VERSION.SDK_INT + ")");
        words.put("delegate", options.toString());
        words.put("precision", options.float32() ? "float32" : "half precision allowed");
        return words;
    }
}
