/// Declared only: Metal is Apple's.
public final class MetalDelegate: Delegate {
    public struct Options: Equatable, Hashable {
        public var isPrecisionLossAllowed = false
        public init() {}
    }

    public init(options: Options = Options()) {
        fatalError("there is no Metal here")
    }

    public var cDelegate: CDelegate { fatalError("there is no Metal here") }
}

/// Declared only: Core ML is Apple's.
public final class CoreMLDelegate: Delegate {
    public enum EnabledDevices: Equatable, Hashable {
        case neuralEngine
        case all
    }

    public struct Options: Equatable, Hashable {
        public var enabledDevices: EnabledDevices = .neuralEngine
        public init() {}
    }

    public init?(options: Options = Options()) {
        return nil
    }

    public var cDelegate: CDelegate { fatalError("there is no Core ML here") }
}
