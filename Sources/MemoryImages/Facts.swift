internal import PageTables

/// Something known of a kernel, and where it is known from.
package struct Fact<Value: Sendable & Equatable>: Sendable, Equatable {
  package let value: Value
  package let source: String

  package init(_ value: Value, _ source: String) {
    self.value = value
    self.source = source
  }
}

/// What is known of the kernel whose tables are judged; nil is unknown.
package struct KernelFacts: Sendable, Equatable {
  package var release: Fact<String>?
  /// Page-table isolation is in force.
  package var pti: Fact<Bool>?
  /// The no-execute bit is in use.
  package var nx: Fact<Bool>?
  /// The global bit is in use.
  package var pge: Fact<Bool>?
  package var xen: Fact<Bool>?
  package var directMap: Fact<UInt64>?
  package var vmalloc: Fact<UInt64>?
  package var vmemmap: Fact<UInt64>?
  package var physBase: Fact<UInt64>?
  package var kaslrOffset: Fact<UInt64>?
  package var imageSize: Fact<UInt64>?
  package var maxPfnMapped: Fact<UInt64>?
  package var smeMask: Fact<UInt64>?
  package var root: Fact<UInt64>?

  package init() {}

  /// By name, as `info` and the JSON report list them.
  package var listed: [(name: String, value: String, source: String)] {
    func onOff(_ name: String, _ fact: Fact<Bool>?) -> (String, String, String)? {
      fact.map { (name, $0.value ? "on" : "off", $0.source) }
    }
    func address(_ name: String, _ fact: Fact<UInt64>?) -> (String, String, String)? {
      fact.map { (name, $0.value.address, $0.source) }
    }
    let all: [(String, String, String)?] = [
      release.map { ("release", $0.value, $0.source) },
      onOff("pti", pti), onOff("nx", nx), onOff("pge", pge), onOff("xen", xen),
      address("root", root), address("directMap", directMap), address("vmalloc", vmalloc),
      address("vmemmap", vmemmap), address("physBase", physBase),
      address("kaslrOffset", kaslrOffset), address("smeMask", smeMask),
      maxPfnMapped.map { ("maxPfnMapped", "\($0.value)", $0.source) },
    ]
    return all.compactMap { $0 }.map { (name: $0.0, value: $0.1, source: $0.2) }
  }
}
