import Foundation

/// The datatype of a tensor's elements, by its name in the KServe protocol.
public enum Datatype: String {
    case bool = "BOOL"
    case int8 = "INT8"
    case int16 = "INT16"
    case int32 = "INT32"
    case int64 = "INT64"
    case uint8 = "UINT8"
    case uint16 = "UINT16"
    case uint32 = "UINT32"
    case uint64 = "UINT64"
    case float32 = "FP32"
    case float64 = "FP64"
}

/// A tensor as bytes: the elements in C order, little-endian.
public struct RawTensor: Equatable {
    public let datatype: Datatype
    public let shape: [Int]
    public let data: Data

    public init(datatype: Datatype, shape: [Int], data: Data) {
        self.datatype = datatype
        self.shape = shape
        self.data = data
    }
}

/// A type whose values are a tensor's elements.
public protocol ModelElement {
    static var datatype: Datatype { get }
    /// The element of which `unset` elements can be made, before bytes are copied over them.
    static var unset: Self { get }
}

extension Bool: ModelElement {
    public static let datatype = Datatype.bool
    public static let unset = false
}
extension Int8: ModelElement {
    public static let datatype = Datatype.int8
    public static let unset: Int8 = 0
}
extension Int16: ModelElement {
    public static let datatype = Datatype.int16
    public static let unset: Int16 = 0
}
extension Int32: ModelElement {
    public static let datatype = Datatype.int32
    public static let unset: Int32 = 0
}
extension Int64: ModelElement {
    public static let datatype = Datatype.int64
    public static let unset: Int64 = 0
}
extension UInt8: ModelElement {
    public static let datatype = Datatype.uint8
    public static let unset: UInt8 = 0
}
extension UInt16: ModelElement {
    public static let datatype = Datatype.uint16
    public static let unset: UInt16 = 0
}
extension UInt32: ModelElement {
    public static let datatype = Datatype.uint32
    public static let unset: UInt32 = 0
}
extension UInt64: ModelElement {
    public static let datatype = Datatype.uint64
    public static let unset: UInt64 = 0
}
extension Float: ModelElement {
    public static let datatype = Datatype.float32
    public static let unset: Float = 0
}
extension Double: ModelElement {
    public static let datatype = Datatype.float64
    public static let unset: Double = 0
}

/// A tensor: its shape, and its elements in C order, the last dimension fastest.
public struct ModelTensor<Element: ModelElement> {
    public let shape: [Int]
    public let elements: [Element]

    public init(_ elements: [Element], shape: [Int]) {
        self.shape = shape
        self.elements = elements
    }

    /// The tensor of an answer.
    init(_ raw: RawTensor, named name: String) throws {
        let size = MemoryLayout<Element>.stride
        guard raw.datatype == Element.datatype, raw.data.count % size == 0 else {
            throw ModelError("the answer '\(name)' is \(raw.datatype.rawValue), and the signature's \(Element.datatype.rawValue)")
        }
        var elements = [Element](repeating: Element.unset, count: raw.data.count / size)
        elements.withUnsafeMutableBytes { _ = raw.data.copyBytes(to: $0) }
        self.init(elements, shape: raw.shape)
    }

    /// The bytes, once the shape is found to be one that the signature takes; nil is any dimension, or any shape.
    func raw(named name: String, shape wanted: [Int?]?) throws -> RawTensor {
        guard shape.allSatisfy({ $0 >= 0 }), shape.reduce(1, *) == elements.count else {
            throw ModelError("'\(name)' has \(elements.count) elements, which are not those of the shape \(shape)")
        }
        let fits = wanted.map { $0.count == shape.count && zip($0, shape).allSatisfy { $0 == nil || $0 == $1 } }
        guard fits ?? true else {
            let said = (wanted ?? []).map { $0.map(String.init) ?? "?" }.joined(separator: ", ")
            throw ModelError("'\(name)' has the shape \(shape), and the signature takes [\(said)]")
        }
        return RawTensor(datatype: Element.datatype, shape: shape, data: elements.withUnsafeBytes { Data($0) })
    }
}

/// What went wrong, in a sentence.
public struct ModelError: Error, CustomStringConvertible, LocalizedError {
    public let description: String
    public var errorDescription: String? { description }

    init(_ description: String) {
        self.description = description
    }
}
