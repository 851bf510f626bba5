import FaultInjection
import Foundation
import KernelImages
import PageTableLint
import PageTables
import Support
import Testing

/// One bit of one live entry is flipped, anywhere: how many of the flips that matter are found.
@Suite(.serialized) struct RandomFlipTests {
  struct Row {
    private(set) var flips = 0
    /// At warning or above.
    private(set) var found = 0
    private(set) var noted = 0
    private(set) var rules: [String: Int] = [:]
    private(set) var silent: [String] = []
    /// What the flips were that were found, and by which rules.
    private(set) var places: [String] = []

    var cells: String { "\(flips) | \(found) | \(noted) | \(silent.count)" }

    fileprivate mutating func add(_ findings: [Judged], _ what: String) {
      let grave = Set(findings.filter { $0.severity > .note }.map(\.rule.id))
      flips += 1
      for rule in grave { rules[rule, default: 0] += 1 }
      if !grave.isEmpty {
        found += 1
        places.append("\(what): \(grave.sorted())")
      } else if !findings.isEmpty {
        noted += 1
      } else {
        silent.append(what)
      }
    }
  }

  /// The size of a leaf, or that it is none.
  private static func level(_ site: Site) -> String {
    site.isTable ? "table" : ["", "4K", "2M", "1G", "512G", "256T"][site.level]
  }

  /// What was flipped, by area, level and bit.
  struct Outcome {
    fileprivate(set) var classes: [String: Row] = [:]
    fileprivate(set) var matters = Row()
    /// Flips that change nothing.
    fileprivate(set) var free = Row()

    /// A table of the classes in which some were not found, for docs/injection.md.
    var table: String {
      let missed = classes.filter { $0.value.found < $0.value.flips }.sorted {
        ($1.value.flips - $1.value.found, $0.key) < ($0.value.flips - $0.value.found, $1.key)
      }
      return
        ([
          "| area | entry | bit | flips | found | noted | silent |",
          "|---|---|---|--:|--:|--:|--:|",
        ]
        + missed.map { "| \($0.key) | \($0.value.cells) |" }
        + ["| all, with those that were found whole | | | \(matters.cells) |"]).joined(
          separator: "\n")
    }
  }

  /// Flips bits at random, from a fixed seed.
  ///
  /// Of flips that change nothing there are a third of those that matter.
  static func measure(_ plan: FaultPlan) throws -> Outcome {
    let flips = plan.flips
    let patients = try plan.samples.map { try Patient($0) }
    var generator = SeededGenerator(0xf11b_0001)
    var outcome = Outcome()
    while outcome.matters.flips < flips {
      let patient = patients[Int.random(in: 0..<patients.count, using: &generator)]
      let site = patient.sites[Int.random(in: patient.sites.indices, using: &generator)]
      let bit = Int.random(in: 0..<64, using: &generator)
      guard site.isPresent, let kind = plan.kind(bit, site, patient),
        kind != .free || outcome.free.flips < flips / 3
      else { continue }
      try patient.write(site.entry ^ 1 << UInt64(bit), site)
      let report = Linter.run(patient.subject)
      patient.memory.reset()
      let before = Set(patient.healthy.findings.map(\.rule.id))
      let new = report.findings.filter { !before.contains($0.rule.id) || $0.severity > .note }
      let what = "\(patient.name) \(site.address.address) bit \(bit) of \(site.entry.entry)"
      if kind == .free {
        outcome.free.add(new, what)
      } else {
        outcome.matters.add(new, what)
        let place = "\(site.area.name) | \(level(site)) | \(kind.rawValue)"
        outcome.classes[place, default: Row()].add(new, what)
      }
    }
    return outcome
  }

  @Test(.enabled(if: !Effort.isFull, "InjectionTests measure all"))
  func mostFlipsAreFound() throws {
    try Self.expect(Self.measure(.x86))
    try Self.expect(Self.measure(.arm64))
  }

  /// At least 95 of 100 that matter are found, and at most 1 of 100 that change nothing draw a word.
  static func expect(_ outcome: Outcome) throws {
    let silent = outcome.classes.values.flatMap(\.silent)
    #expect(outcome.matters.found * 100 >= outcome.matters.flips * 95, "\(silent)")
    #expect(outcome.free.found * 100 <= outcome.free.flips, "\(outcome.free.places)")
  }
}
