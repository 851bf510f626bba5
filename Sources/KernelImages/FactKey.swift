internal import KernelText
internal import PageTables

/// One fact by name: where `KernelFacts` has it, and how it is printed.
package struct FactKey<Value: Sendable & Equatable>: Sendable {
  package let name: String
  let path: any WritableKeyPath<KernelFacts, Fact<Value>?> & Sendable
  private let text: @Sendable (Value) -> String

  fileprivate init(
    _ name: String, _ path: any WritableKeyPath<KernelFacts, Fact<Value>?> & Sendable,
    _ text: @escaping @Sendable (Value) -> String
  ) {
    self.name = name
    self.path = path
    self.text = text
  }
}

extension FactKey<String> {
  static var release: Self { FactKey("release", \.release) { $0 } }
  static var hypervisor: Self { FactKey("hypervisor", \.hypervisor) { $0 } }
  static var domain: Self { FactKey("domain", \.domain) { $0 } }
  static var buildID: Self { FactKey("buildId", \.buildID) { $0 } }
  package static var crashTime: Self { FactKey("crashTime", \.crashTime) { $0 } }
  static var commandLine: Self { FactKey("commandLine", \.commandLine) { $0 } }
  static var taint: Self { FactKey("taint", \.taint) { $0 } }
}

extension FactKey<Bool> {
  static var pti: Self { isOn("pti", \.pti) }
  static var nx: Self { isOn("nx", \.nx) }
  static var pge: Self { isOn("pge", \.pge) }
  static var xen: Self { isOn("xen", \.xen) }

  /// What is on or off, and may be assumed.
  package static var switches: [Self] { [pti, nx, pge, xen] }

  private static func isOn(
    _ name: String, _ path: any WritableKeyPath<KernelFacts, Fact<Bool>?> & Sendable
  ) -> Self { FactKey(name, path) { $0 ? "on" : "off" } }
}

extension FactKey<UInt64> {
  static var root: Self { address("root", \.root) }
  static var directMap: Self { address("directMap", \.directMap) }
  static var vmalloc: Self { address("vmalloc", \.vmalloc) }
  static var vmemmap: Self { address("vmemmap", \.vmemmap) }
  static var physBase: Self { address("physBase", \.physBase) }
  static var kaslrOffset: Self { address("kaslrOffset", \.kaslrOffset) }
  static var smeMask: Self { address("smeMask", \.smeMask) }
  static var imageSize: Self { address("imageSize", \.imageSize) }
  static var maxPfnMapped: Self { FactKey("maxPfnMapped", \.maxPfnMapped) { "\($0)" } }
  static var physicalBits: Self { FactKey("physicalBits", \.physicalBits) { "\($0)" } }

  private static func address(
    _ name: String, _ path: any WritableKeyPath<KernelFacts, Fact<UInt64>?> & Sendable
  ) -> Self { FactKey(name, path) { $0.address } }
}

extension FactKey<KernelVersion> {
  static var releaseFrom: Self { FactKey("releaseFrom", \.releaseFrom) { $0.short } }
  static var releaseBefore: Self { FactKey("releaseBefore", \.releaseBefore) { $0.short } }
}

extension FactKey<[UInt64]> {
  /// As /proc/meminfo counts them, from the smallest page up: `2016 124 0`.
  package static var directPages: Self {
    FactKey("directPages", \.directPages) { $0.map(String.init).joined(separator: " ") }
  }
}

extension KernelFacts {
  package subscript<Value>(key: FactKey<Value>) -> Fact<Value>? {
    get { self[keyPath: key.path] }
    set { self[keyPath: key.path] = newValue }
  }
}

/// A fact that `info` and the JSON report list.
private protocol ListedFact {
  func entry(in facts: KernelFacts) -> (name: String, value: String, source: String)?
}

extension FactKey: ListedFact {
  fileprivate func entry(in facts: KernelFacts) -> (name: String, value: String, source: String)? {
    facts[self].map { (name: name, value: text($0.value), source: $0.source) }
  }
}

extension KernelFacts {
  private static var keys: [any ListedFact] {
    [FactKey<String>.release, .buildID, .crashTime] + [
      FactKey<KernelVersion>.releaseFrom, .releaseBefore,
    ]
      + FactKey<Bool>.switches + [FactKey<String>.hypervisor, .domain]
      + [
        FactKey.root, .directMap, .vmalloc, .vmemmap, .physBase, .kaslrOffset, .smeMask,
        .maxPfnMapped, .physicalBits,
      ] + [FactKey<[UInt64]>.directPages] + [FactKey<String>.taint, .commandLine]
  }

  /// By name, as `info` and the JSON report list them.
  package var listed: [(name: String, value: String, source: String)] {
    Self.keys.compactMap { $0.entry(in: self) }
      + Protection.allCases.compactMap { protection in
        protections[protection].map {
          (name: protection.rawValue, value: $0.value ? "on" : "off", source: $0.source)
        }
      }
  }
}
