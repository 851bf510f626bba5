package import MemoryImages
internal import PageTables

/// Reads `.ptdump-lint.yml`; docs/configuration.md and docs/schema say what may be in it.
extension Configuration {
  /// - Parameter today: as `YYYY-MM-DD`, against which exceptions' ends are held.
  /// - Throws: `ImageError` that names the line, and the key or name that was likely meant.
  package init(yaml: String, path: String, today: String) throws(ImageError) {
    let root: YAMLNode?
    do {
      root = try YAMLNode.root(of: yaml)
    } catch {
      throw ImageError(
        path + (error.line.map { ":\($0)" } ?? ""), "not YAML: \(error.problem)",
        advice: "docs/configuration.md tells what is read")
    }
    let reader = ConfigurationReader(path: path, today: today)
    self.path = path
    guard let root, root.scalar != "" else {
      severities = [:]
      expectations = []
      exceptions = []
      return
    }
    let keys = try reader.keys(root, "the file", ["rules", "expectations", "exceptions"])
    severities = try keys["rules"].map(reader.severities) ?? [:]
    expectations = try reader.list(keys["expectations"], "expectations", reader.expectation)
    exceptions = try reader.list(keys["exceptions"], "exceptions", reader.exception)
  }
}

private struct ConfigurationReader {
  let path: String
  let today: String

  func wrong(_ node: YAMLNode, _ problem: String, _ advice: String) -> ImageError {
    ImageError("\(path):\(node.line)", problem, advice: advice)
  }

  func oneOf(_ node: YAMLNode, _ what: String, _ words: [String]) throws(ImageError) -> String {
    let text = try self.text(node, what)
    guard words.contains(text) else {
      throw wrong(node, "\(what) is not \(text)", text.advice(from: words))
    }
    return text
  }

  func text(_ node: YAMLNode, _ what: String) throws(ImageError) -> String {
    guard let text = node.scalar, !text.isEmpty else {
      throw wrong(node, "\(what) must be a word or a text", "write it behind the colon")
    }
    return text
  }

  /// A mapping's values by their keys.
  func keys(_ node: YAMLNode, _ what: String, _ known: [String]) throws(ImageError) -> [String:
    YAMLNode]
  {
    guard let mapping = node.mapping else {
      throw wrong(node, "\(what) must have keys", "known: \(known.joined(separator: ", "))")
    }
    var found: [String: YAMLNode] = [:]
    for (key, value) in mapping {
      let name = try text(key, "a key")
      guard known.contains(name) else {
        throw wrong(key, "\(what) has no key \(name)", name.advice(from: known))
      }
      found[name] = value
    }
    return found
  }

  func list<Element>(
    _ node: YAMLNode?, _ what: String, _ read: (YAMLNode) throws(ImageError) -> Element
  ) throws(ImageError) -> [Element] {
    guard let node else { return [] }
    guard let nodes = node.sequence else {
      throw wrong(node, "\(what) must be a list", "begin each of its entries with a dash")
    }
    var found: [Element] = []
    for node in nodes { found.append(try read(node)) }
    return found
  }

  func rule(_ node: YAMLNode) throws(ImageError) -> Rule {
    let name = try text(node, "a rule")
    guard let rule = Rule.named(name) else {
      throw wrong(node, "no rule is named \(name)", Rule.advice(for: name))
    }
    return rule
  }

  func severities(_ node: YAMLNode) throws(ImageError) -> [String: Severity?] {
    guard let mapping = node.mapping else {
      throw wrong(node, "rules must have keys", "write PT607: off")
    }
    var found: [String: Severity?] = [:]
    for (key, value) in mapping {
      let rule = try rule(key)
      let word = try oneOf(
        value, "a rule's severity", ["off"] + Severity.allCases.map(\.rawValue))
      guard found[rule.id] == nil else {
        throw wrong(key, "\(rule.id) is named twice", "leave one of them out")
      }
      found.updateValue(Severity(rawValue: word), forKey: rule.id)
    }
    return found
  }

  func expectation(_ node: YAMLNode) throws(ImageError) -> Configuration.Expectation {
    let keys = try keys(
      node, "an expectation",
      ["area", "symbol", "range", "table", "attributes", "pageSize", "largePages", "reason"])
    let place = try place(keys)
    guard place.area != nil || place.symbol != nil || place.range != nil else {
      throw wrong(node, "an expectation must say where", "give it an area, a symbol or a range")
    }
    var attributes: [Configuration.Attribute] = []
    for node in try list(keys["attributes"], "attributes", { node throws(ImageError) in node }) {
      let words = Configuration.Attribute.allCases.map(\.rawValue)
      let word = try oneOf(node, "an attribute", words)
      guard let attribute = Configuration.Attribute(rawValue: word) else { continue }
      if let other = attributes.first(where: attribute.contradicts) {
        throw wrong(node, "\(word) contradicts \(other.rawValue)", "leave one of them out")
      }
      attributes.append(attribute)
    }
    var pageSize: String?
    if let node = keys["pageSize"] {
      pageSize = try oneOf(node, "a page size", ["4K", "2M", "4M", "1G"])
    }
    var share: Double?
    if let node = keys["largePages"] {
      let text = try self.text(node, "largePages")
      guard text.hasSuffix("%"), let value = Double(text.dropLast()), value >= 0, value <= 100
      else { throw wrong(node, "largePages is not \(text)", "write a share like 90%") }
      share = value
    }
    guard !attributes.isEmpty || pageSize != nil || share != nil else {
      throw wrong(
        node, "an expectation must expect something", "give it attributes, pageSize or largePages")
    }
    return Configuration.Expectation(
      place: place, attributes: attributes, pageSize: pageSize, largePages: share,
      reason: try reason(keys, node, "an expectation"), line: node.line)
  }

  func exception(_ node: YAMLNode) throws(ImageError) -> Configuration.Exception {
    let keys = try keys(
      node, "an exception", ["rule", "area", "symbol", "range", "table", "reason", "until"])
    guard let name = keys["rule"] else {
      throw wrong(node, "an exception must name its rule", "write rule: PT001")
    }
    let rule = try rule(name)
    guard rule.checkExceptions == nil else {
      throw wrong(name, "\(rule.id) is about exceptions", "turn it off under rules")
    }
    var until: String?
    if let node = keys["until"] {
      let text = try self.text(node, "until")
      guard Self.isDate(text) else {
        throw wrong(node, "until is not \(text)", "write a day as YYYY-MM-DD")
      }
      until = text
    }
    return Configuration.Exception(
      rule: rule.id, place: try place(keys), reason: try reason(keys, node, "an exception"),
      until: until, isExpired: until.map { $0 < today } ?? false, line: node.line)
  }

  /// Whether a text is a day of the calendar, as `YYYY-MM-DD`.
  private static func isDate(_ text: String) -> Bool {
    let parts = text.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.map(\.count) == [4, 2, 2], parts.joined().allSatisfy({ "0"..."9" ~= $0 }),
      let year = Int(parts[0]), let month = Int(parts[1]), let day = Int(parts[2]),
      1...12 ~= month
    else { return false }
    let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
    let days = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    return 1...days[month - 1] ~= day
  }

  private func reason(_ keys: [String: YAMLNode], _ node: YAMLNode, _ what: String)
    throws(ImageError)
    -> String
  {
    guard let reason = keys["reason"] else {
      throw wrong(
        node, "\(what) must have a reason", "write reason: and why, for those who read it")
    }
    return try text(reason, "a reason")
  }

  private func place(_ keys: [String: YAMLNode]) throws(ImageError) -> Configuration.Place {
    var place = Configuration.Place()
    if let node = keys["area"] {
      place.area = Area.Kind.named(
        try oneOf(node, "an area", Area.Kind.known.map(\.name)))
    }
    if let node = keys["symbol"] {
      guard place.area == nil else {
        throw wrong(node, "a place has an area or a symbol", "leave one of them out")
      }
      let parts = try text(node, "a symbol").split(separator: "-", omittingEmptySubsequences: false)
      guard parts.count <= 2, parts.allSatisfy({ !$0.isEmpty }) else {
        throw wrong(node, "a symbol is NAME, or NAME-NAME", "write _stext-_etext")
      }
      place.symbol = (start: String(parts[0]), end: parts.count == 2 ? String(parts[1]) : nil)
    }
    if let node = keys["range"] {
      let text = try self.text(node, "a range")
      guard let range = ClosedRange(hexText: text) else {
        throw wrong(
          node, "a range is not \(text)", "write START-END in hexadecimal, END exclusive")
      }
      if place.symbol?.end != nil {
        throw wrong(node, "a range starts at one symbol", "leave the second one out")
      }
      place.range = range
    }
    if let node = keys["table"] { place.table = try text(node, "a table") }
    return place
  }
}
