import TensorFlowLite

/// How TensorFlow Lite runs the model.
public struct ModelOptions: Equatable {
    /// What computes.
    public enum Compute: String, CaseIterable {
        /// The CPU as TensorFlow Lite uses it by default.
        case cpu
        /// The CPU with XNNPACK asked for, which refuses a model that computes shapes as it runs.
        case xnnpack
        /// The GPU, perhaps in half precision.
        case metal
        /// The GPU in float32.
        case metalFloat32 = "metal-float32"
        /// Core ML on a device with a Neural Engine, which computes in half precision.
        case coreml
        /// Core ML on any device.
        case coremlAll = "coreml-all"
    }

    public var compute: Compute
    /// The threads of the CPU; nil for TensorFlow Lite's own choice.
    public var threads: Int?

    public init(compute: Compute = .cpu, threads: Int? = nil) {
        self.compute = compute
        self.threads = threads
    }

    /// The options of a word such as `metal-float32`; throws `ModelError` for an unknown one.
    public init(word: String) throws {
        guard let compute = Compute(rawValue: word) else {
            let known = Compute.allCases.map(\.rawValue).joined(separator: ", ")
            throw ModelError("'\(word)' is no delegate; there are: \(known)")
        }
        self.init(compute: compute)
    }

    /// A new interpreter with a delegate of its own.
    func interpreter(of path: String) throws -> Interpreter {
        var options = Interpreter.Options()
        options.threadCount = threads
        options.isXNNPackEnabled = compute == .xnnpack
        let chosen = try delegate()
        do {
            return try Interpreter(modelPath: path, options: options, delegates: chosen.map { [$0] })
        } catch {
            guard compute != .cpu else { throw error }
            throw ModelError(
                "TensorFlow Lite does not load the model with the delegate '\(compute.rawValue)' (\(error)); it prints why. A delegate refuses"
                    + " shapes that the model computes as it runs, such as those of a free batch: take cpu, or convert it at a fixed shape"
            )
        }
    }

    private func delegate() throws -> Delegate? {
        switch compute {
        case .cpu, .xnnpack:
            return nil
        case .metal, .metalFloat32:
            #if CROSSLOAD_DELEGATES
                var options = MetalDelegate.Options()
                options.isPrecisionLossAllowed = compute == .metal
                return MetalDelegate(options: options)
            #else
                throw missing
            #endif
        case .coreml, .coremlAll:
            #if CROSSLOAD_DELEGATES
                var options = CoreMLDelegate.Options()
                options.enabledDevices = compute == .coreml ? .neuralEngine : .all
                guard let delegate = CoreMLDelegate(options: options) else {
                    throw ModelError("this device has no Neural Engine; coreml-all takes any device")
                }
                return delegate
            #else
                throw missing
            #endif
        }
    }

    private var missing: ModelError {
        ModelError("this build has no delegate '\(compute.rawValue)': the pod brings Metal and Core ML, the Swift package does not")
    }
}
