internal import KernelText
internal import PageTables

/// One fact by name: where `KernelFacts` has it, and how it is printed.
package struct FactKey<Value: Sendable & Equatable>: Sendable {
  package let name: String
  // Key paths would be made anew at each start, of their text.
  fileprivate typealias Getter = @Sendable (KernelFacts) -> Fact<Value>?
  fileprivate typealias Setter = @Sendable (inout KernelFacts, Fact<Value>?) -> Void
  fileprivate let get: Getter
  fileprivate let set: Setter
  private let text: @Sendable (Value) -> String

  fileprivate init(
    _ name: String, _ get: @escaping Getter, _ set: @escaping Setter,
    _ text: @escaping @Sendable (Value) -> String
  ) {
    self.name = name
    self.get = get
    self.set = set
    self.text = text
  }
}

extension FactKey<String> {
  static var release: Self { FactKey("release", { $0.release }, { $0.release = $1 }) { $0 } }
  static var hypervisor: Self {
    FactKey("hypervisor", { $0.hypervisor }, { $0.hypervisor = $1 }) { $0 }
  }
  static var domain: Self { FactKey("domain", { $0.domain }, { $0.domain = $1 }) { $0 } }
  static var buildID: Self { FactKey("buildId", { $0.buildID }, { $0.buildID = $1 }) { $0 } }
  package static var crashTime: Self {
    FactKey("crashTime", { $0.crashTime }, { $0.crashTime = $1 }) { $0 }
  }
  static var commandLine: Self {
    FactKey("commandLine", { $0.commandLine }, { $0.commandLine = $1 }) { $0 }
  }
  static var taint: Self { FactKey("taint", { $0.taint }, { $0.taint = $1 }) { $0 } }
}

extension FactKey<Bool> {
  static var pti: Self { isOn("pti", { $0.pti }, { $0.pti = $1 }) }
  static var nx: Self { isOn("nx", { $0.nx }, { $0.nx = $1 }) }
  static var pge: Self { isOn("pge", { $0.pge }, { $0.pge = $1 }) }
  static var xen: Self { isOn("xen", { $0.xen }, { $0.xen = $1 }) }

  /// What is on or off, and may be assumed.
  package static var switches: [Self] { [pti, nx, pge, xen] }

  private static func isOn(
    _ name: String, _ get: @escaping Getter, _ set: @escaping Setter
  ) -> Self { FactKey(name, get, set) { $0 ? "on" : "off" } }
}

extension FactKey<UInt64> {
  static var root: Self { address("root", { $0.root }, { $0.root = $1 }) }
  static var directMap: Self { address("directMap", { $0.directMap }, { $0.directMap = $1 }) }
  static var vmalloc: Self { address("vmalloc", { $0.vmalloc }, { $0.vmalloc = $1 }) }
  static var vmemmap: Self { address("vmemmap", { $0.vmemmap }, { $0.vmemmap = $1 }) }
  static var physBase: Self { address("physBase", { $0.physBase }, { $0.physBase = $1 }) }
  static var kaslrOffset: Self {
    address("kaslrOffset", { $0.kaslrOffset }, { $0.kaslrOffset = $1 })
  }
  static var smeMask: Self { address("smeMask", { $0.smeMask }, { $0.smeMask = $1 }) }
  static var imageSize: Self { address("imageSize", { $0.imageSize }, { $0.imageSize = $1 }) }
  static var maxPfnMapped: Self {
    FactKey("maxPfnMapped", { $0.maxPfnMapped }, { $0.maxPfnMapped = $1 }) { "\($0)" }
  }
  static var physicalBits: Self {
    FactKey("physicalBits", { $0.physicalBits }, { $0.physicalBits = $1 }) { "\($0)" }
  }

  private static func address(
    _ name: String, _ get: @escaping Getter, _ set: @escaping Setter
  ) -> Self { FactKey(name, get, set) { $0.address } }
}

extension FactKey<KernelVersion> {
  static var releaseFrom: Self {
    FactKey("releaseFrom", { $0.releaseFrom }, { $0.releaseFrom = $1 }) { $0.short }
  }
  static var releaseBefore: Self {
    FactKey("releaseBefore", { $0.releaseBefore }, { $0.releaseBefore = $1 }) { $0.short }
  }
}

extension FactKey<[UInt64]> {
  /// As /proc/meminfo counts them, from the smallest page up: `2016 124 0`.
  package static var directPages: Self {
    FactKey("directPages", { $0.directPages }, { $0.directPages = $1 }) {
      $0.map(String.init).joined(separator: " ")
    }
  }
}

extension KernelFacts {
  package subscript<Value>(key: FactKey<Value>) -> Fact<Value>? {
    get { key.get(self) }
    set { key.set(&self, newValue) }
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
