internal import MemoryImages
internal import PageTables

/// One fact's sources, the best first.
package struct FactSource: Sendable {
  fileprivate let take: @Sendable (inout KernelFacts, FactEvidence) -> Void

  /// - Parameter sources: get the facts before this one in the list of sources.
  static func of<Value>(
    _ key: FactKey<Value>,
    _ sources: (@Sendable (FactEvidence, KernelFacts) -> Fact<Value>?)...
  ) -> FactSource {
    FactSource { facts, evidence in
      for source in sources {
        guard let fact = source(evidence, facts) else { continue }
        facts[key] = fact
        return
      }
    }
  }
}

extension FactSource {
  /// What the kernel's note says of a build and of a crash.
  ///
  /// Source: kernel/vmcore_info.c, 6.12 (`BUILD-ID`), and `crash_save_vmcoreinfo`, the same file
  /// (`CRASHTIME`).
  fileprivate static let ofEveryArchitecture: [FactSource] = [
    .of(.buildID) { evidence, _ in
      evidence.note { note in
        note["BUILD-ID"].flatMap { text in
          let isHex = text.utf8.allSatisfy {
            (0x30...0x39).contains($0) || (0x61...0x66).contains($0)
          }
          return isHex && (1...64).contains(text.utf8.count) ? text : nil
        }
      }
    },
    .of(.crashTime) { evidence, _ in
      evidence.note { note in note["CRASHTIME"].flatMap { UInt64($0) }.map(String.init) }
    },
  ]
}

/// What an image brings that facts are taken from.
package struct FactEvidence {
  let info: VMCoreInfo?
  let root: Root
  /// The kernel's variables.
  let values: [String: UInt64]
  let symbols: Symbols?
  let reader: VirtualReader
  let cpus: [KernelImage.CPUState]
  let guest: XenPV?

  var cpu: KernelImage.CPUState? { cpus.first }

  var mode: TableFormat { root.mode }

  func variable(_ name: String) -> Fact<UInt64>? { values[name].map { Fact($0, name) } }

  /// Something that the kernel's note says of itself.
  func note<Value>(_ value: (VMCoreInfo) -> Value?) -> Fact<Value>? {
    info.flatMap { info in value(info).map { Fact($0, info.source) } }
  }

  /// The release that the kernel's banner names.
  var banner: Fact<String>? {
    guard let address = symbols?["linux_banner"], let bytes = reader.bytes(at: address, count: 128)
    else { return nil }
    let words = String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self).split(separator: " ")
    guard words.count > 2, words[0] == "Linux" else { return nil }
    return Fact(String(words[2]).quotable(most: 64), "linux_banner")
  }

  /// How many leaves of each size the kernel counts in its direct map.
  var directPages: Fact<[UInt64]>? {
    let counts = Variable.directPages.compactMap { values[$0] }
    return counts.count == Variable.directPages.count ? Fact(counts, "direct_pages_count") : nil
  }
}

/// The facts of an image's kernel, with what contradicts them.
struct FactSearch {
  let facts: KernelFacts
  let problems: [String]
  /// That the direct map's entry for the tables is lost, though its start is known: a problem where
  /// nothing tells what memory should be mapped.
  let lostTables: String?

  init(_ evidence: FactEvidence) {
    let mode = evidence.mode
    let architecture = mode.architecture
    let root = evidence.root.address
    var facts = KernelFacts()
    for source in architecture.factSources + FactSource.ofEveryArchitecture {
      source.take(&facts, evidence)
    }
    facts.take(
      evidence.cpus.map { architecture.protections(in: $0.tableRegisters) },
      source: "(\(evidence.cpu?.source ?? ""))")
    var problem: String?
    var isLost = false
    if let directMap = facts.directMap {
      let walk = mode.walk(
        directMap.value &+ root, root: root, memory: evidence.reader.memory)
      if walk.physical != root {
        problem =
          "the direct map from \(mode.text(directMap.value)) (\(directMap.source)) does not lead "
          + "back to the tables: a wrong base, or a damaged image"
        // No entry leads elsewhere, and no other place leads to the tables: the base is right.
        isLost =
          walk.steps.last?.entry == 0 && !architecture.imageIsInDirectMap
          && directMap.value & (architecture.imageAlignment - 1) == 0
          && evidence.root.directMap(in: evidence.reader.memory) == nil
      }
    }
    self.facts = facts
    lostTables = isLost ? problem : nil
    problems =
      (isLost ? [] : [problem].compactMap { $0 }) + architecture.contradictions(in: evidence)
  }
}
