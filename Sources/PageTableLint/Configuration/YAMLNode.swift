internal import CLibyaml
internal import MemoryImages

/// A node of a YAML document, by libyaml.
package struct YAMLNode: Sendable {
  package enum Value: Sendable {
    case scalar(String)
    case sequence([YAMLNode])
    case mapping([(key: YAMLNode, value: YAMLNode)])
  }

  package struct Failure: Error {
    package let problem: String
    /// From 1; nil where it is of no line.
    package let line: Int?
  }

  package let value: Value
  /// From 1.
  package let line: Int

  var scalar: String? {
    if case .scalar(let text) = value { text } else { nil }
  }
  var sequence: [YAMLNode]? {
    if case .sequence(let nodes) = value { nodes } else { nil }
  }
  var mapping: [(key: YAMLNode, value: YAMLNode)]? {
    if case .mapping(let pairs) = value { pairs } else { nil }
  }

  /// The root of a text's only document; nil where the text is empty.
  package static func root(of yaml: String) throws(Failure) -> YAMLNode? {
    // The parser points to itself, and so must stay in its place.
    let parser = UnsafeMutablePointer<yaml_parser_t>.allocate(capacity: 1)
    defer { unsafe parser.deallocate() }
    guard unsafe yaml_parser_initialize(parser) == 1 else {
      throw Failure(problem: "no memory", line: nil)
    }
    defer { unsafe yaml_parser_delete(parser) }
    return try unsafe Array(yaml.utf8).withUnsafeBufferPointer { bytes throws(Failure) in
      try unsafe checkDepth(bytes)
      unsafe yaml_parser_set_input_string(parser, bytes.baseAddress, bytes.count)
      let root = try unsafe document(parser)
      if root != nil, let second = try unsafe document(parser) {
        throw Failure(problem: "a second document", line: second.line)
      }
      return root
    }
  }

  /// Refuses a text that nests too deep before it is loaded: at every token libyaml 0.2.5 looks at
  /// each collection that is open.
  private static func checkDepth(_ bytes: UnsafeBufferPointer<UInt8>) throws(Failure) {
    let parser = UnsafeMutablePointer<yaml_parser_t>.allocate(capacity: 1)
    defer { unsafe parser.deallocate() }
    guard unsafe yaml_parser_initialize(parser) == 1 else {
      throw Failure(problem: "no memory", line: nil)
    }
    defer { unsafe yaml_parser_delete(parser) }
    unsafe yaml_parser_set_input_string(parser, bytes.baseAddress, bytes.count)
    var depth = 0
    while depth <= depthLimit {
      var event = unsafe yaml_event_t()
      // What is no YAML is reported when it is loaded.
      guard unsafe yaml_parser_parse(parser, &event) == 1 else { return }
      defer { unsafe yaml_event_delete(&event) }
      switch unsafe event.type {
      case YAML_SEQUENCE_START_EVENT, YAML_MAPPING_START_EVENT: depth += 1
      case YAML_SEQUENCE_END_EVENT, YAML_MAPPING_END_EVENT: depth -= 1
      case YAML_STREAM_END_EVENT: return
      default: break
      }
    }
    throw Failure(problem: "too many nodes, or too deep", line: nil)
  }

  /// The next document's root; nil at the end.
  private static func document(_ parser: UnsafeMutablePointer<yaml_parser_t>) throws(Failure)
    -> YAMLNode?
  {
    var document = unsafe yaml_document_t()
    guard unsafe yaml_parser_load(parser, &document) == 1 else {
      let problem = unsafe parser.pointee.problem.map { unsafe String(cString: $0) }
      throw Failure(
        problem: problem ?? "no YAML", line: unsafe Int(parser.pointee.problem_mark.line) + 1)
    }
    defer { unsafe yaml_document_delete(&document) }
    guard unsafe yaml_document_get_root_node(&document) != nil else { return nil }
    var left = nodeLimit
    return try unsafe node(1, of: &document, depth: 0, left: &left)
  }

  // Aliases make a small text large, or endless.
  private static let nodeLimit = 100_000
  private static let depthLimit = 20

  /// - Parameter left: how many nodes there may be.
  private static func node(
    _ index: Int32, of document: inout yaml_document_t, depth: Int, left: inout Int
  ) throws(Failure) -> YAMLNode {
    left -= 1
    guard left >= 0, depth < depthLimit, let node = unsafe yaml_document_get_node(&document, index)
    else { throw Failure(problem: "too many nodes, or too deep", line: nil) }
    let line = unsafe Int(node.pointee.start_mark.line) + 1
    switch unsafe node.pointee.type {
    case YAML_SEQUENCE_NODE:
      let items = unsafe node.pointee.data.sequence.items
      let children = unsafe Array(
        UnsafeBufferPointer(start: items.start, count: items.top - items.start))
      var nodes: [YAMLNode] = []
      for item in children {
        nodes.append(try unsafe self.node(item, of: &document, depth: depth + 1, left: &left))
      }
      return YAMLNode(value: .sequence(nodes), line: line)
    case YAML_MAPPING_NODE:
      let pairs = unsafe node.pointee.data.mapping.pairs
      let children = unsafe Array(
        UnsafeBufferPointer(start: pairs.start, count: pairs.top - pairs.start))
      var nodes: [(key: YAMLNode, value: YAMLNode)] = []
      var names: Set<String> = []
      for pair in children {
        let key = try unsafe self.node(pair.key, of: &document, depth: depth + 1, left: &left)
        let value = try unsafe self.node(pair.value, of: &document, depth: depth + 1, left: &left)
        if let name = key.scalar, !names.insert(name).inserted {
          throw Failure(problem: "the key \(name) occurs twice", line: key.line)
        }
        nodes.append((key, value))
      }
      return YAMLNode(value: .mapping(nodes), line: line)
    default:
      let scalar = unsafe node.pointee.data.scalar
      let bytes = unsafe UnsafeBufferPointer(start: scalar.value, count: scalar.length)
      return YAMLNode(value: .scalar(unsafe String(decoding: bytes, as: UTF8.self)), line: line)
    }
  }
}
