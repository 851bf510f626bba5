import FaultInjection
import Foundation
import MemoryImages
import PageTableLint
import PageTables
import Support
import Testing

/// One thing is broken in a real image: the rule that owns the defect must name the place, and no
/// other rule may speak.
@Suite struct InjectionTests {
  private static var samples: [String] { FaultPlan.x86.samples }
  private static var listed: [String] { FaultPlan.x86.listed }
  private static var wanted: Int { FaultPlan.x86.wanted }

  struct Outcome {
    var injections = 0
    var found = 0
    var missed: [String] = []
    /// Others that spoke, and how often.
    var others: [String: Int] = [:]
  }

  @Test func eachDefectHasItsRule() throws {
    let rows = try Self.rows(.x86)
    guard Effort.isFull else { return }
    let flips = try RandomFlipTests.measure(.x86)
    try RandomFlipTests.expect(flips)
    try Self.compare(Self.page(rows, flips), "injection.md")
  }

  @Test func eachDefectOfArm64HasItsRule() throws {
    let rows = try Self.rows(.arm64)
    guard Effort.isFull else { return }
    let flips = try RandomFlipTests.measure(.arm64)
    try RandomFlipTests.expect(flips)
    try Self.compare(Self.arm64Page(rows, flips), "injection-arm64.md")
  }

  /// Injects each kind of one architecture; returns a line of the page for each.
  private static func rows(_ plan: FaultPlan) throws -> [String] {
    let patients = try plan.samples.map { try Patient($0) }
    let listed = try plan.listed.map { try Patient($0) }
    var rows: [String] = []
    for injection in plan.injections.sorted(by: { $0.rule < $1.rule }) {
      let outcome = try inject(injection, injection.needsLists ? listed : patients, plan)
      #expect(outcome.injections == plan.injected, "\(injection.rule): \(injection.what)")
      #expect(outcome.missed == [], "\(injection.rule)")
      #expect(outcome.others == [:], "\(injection.rule)")
      let rule = try #require(Rule.named(injection.rule))
      rows.append(
        "| \(rule.id) \(rule.name) | \(injection.what) | \(outcome.injections) | \(outcome.found) "
          + "| \(outcome.missed.count) | \(outcome.others.values.reduce(0, +)) |")
    }
    return rows
  }

  /// A page of docs, written again where RECORD is set.
  private static func compare(_ page: String, _ name: String) throws {
    let file = Samples.root.appending(path: "docs/\(name)")
    if ProcessInfo.processInfo.environment["RECORD"] != nil {
      try page.write(to: file, atomically: true, encoding: .utf8)
    }
    #expect(try String(contentsOf: file, encoding: .utf8) == page, "RECORD=1 writes it again")
  }

  private static func page(_ rows: [String], _ flips: RandomFlipTests.Outcome) -> String {
    let others = others(FaultPlan.x86) { $0.serves.names != ["arm64"] }
    return """
      # Faults injected into real images

      `TESTS=all swift test --filter InjectionTests` breaks one thing at a time in four real images:
      \(samples.map { "`\($0)`" }.joined(separator: ", ")).
      Each rule gets \(wanted) breaks. The place is random, from a fixed seed, among those where the change is
      a defect. The rule that owns the defect must name the place, and no other rule may report anything.
      "Others" counts findings of other rules at whatever severity, but for notes that the healthy image
      has too. PT612's defects, and those of module text, are made in
      \(listed.map { "`\($0)`" }.joined(separator: " and ")), which keep the kernel's own lists.
      What is wrong below a table or a pointer that a rule names is evidence of that finding, and no
      finding of its own.

      | rule | what is changed | injections | found | missed | others |
      |---|---|---|---|---|---|
      \(rows.joined(separator: "\n"))

      The other rules are about texts, logs, counters, configurations or things that these captures do
      not have (EFI's attributes table, struct page). Each is proven by its two inputs in
      [samples/rules](../samples/rules):

      \(others)

      ## Random flips

      One bit of one live entry of the kernel's tables is flipped, \(flips.matters.flips) times, from a fixed seed.
      The bits are P, RW, NX, PWT, PCD, PAT, PS, frames and reserved bits, and US where it changes who may
      read. G is one, too, but for 4K leaves of the direct map, of which a healthy kernel has some without
      it. \(flips.matters.found) are found at warning or above. Of \(flips.free.flips) flips that change nothing (accessed, dirty,
      software and ignored bits) \(flips.free.found) draw a warning. Where some are not found:

      \(flips.table)

      Why they are not:

      - PWT, PCD and PAT of a 4K leaf of the direct map or of the image's data. Drivers set the memory
        type of single pages (`set_memory_uc`, `set_memory_wc`). Nothing but an alias of another type
        shows that they did not.
      - the frame of a page of vmalloc: any page of memory may be there. Extracts do not hold the kernel's
        lists of its pages.
      - G and RW of a 4K leaf of the image's data: what CPA splits may lack G. Data of the image is
        writable or read-only by its section alone.

      """
  }

  /// The rules of which no defect is injected.
  private static func others(_ plan: FaultPlan, where isServed: (Rule) -> Bool) -> String {
    let injected = Set(plan.injections.map(\.rule))
    return Rule.all.filter { !injected.contains($0.id) && isServed($0) }.map {
      "- \($0.id) \($0.name)"
    }.joined(separator: "\n")
  }

  private static func arm64Page(_ rows: [String], _ flips: RandomFlipTests.Outcome) -> String {
    let others = others(FaultPlan.arm64) { rule in
      !Set(rule.serves.names).isDisjoint(with: ["arm64", "all", "64-bit"])
    }
    return """
      # Faults injected into real images of arm64

      As in [injection.md](injection.md), `TESTS=all swift test --filter InjectionTests` breaks one thing
      at a time in two real images: \(samplesInWords(.arm64)).
      Each rule gets \(FaultPlan.arm64.wanted) breaks. The first image has five levels, LPA2 and no KPTI, the second four levels
      of 48 bits and KPTI. What only one of them has is broken in that one.

      | rule | what is changed | injections | found | missed | others |
      |---|---|---|---|---|---|
      \(rows.joined(separator: "\n"))

      The other rules that judge arm64 are about texts, logs, configurations or things that these captures
      do not have. Each is proven by its two inputs in [samples/rules](../samples/rules):

      \(others)

      ## Random flips

      One bit of one live entry of the kernel's tables is flipped, \(flips.matters.flips) times, from a fixed seed.
      Bits that change nothing are left out: software's, ignored ones, and DBM of what is writable.
      So are GP of what is not executable, and PXN and UXN below a pointer that forbids the same.
      \(flips.matters.found) are found at warning or above. Of \(flips.free.flips) flips that change nothing \(flips.free.found) draw a warning.
      Where some are not found:

      \(flips.table)

      """
  }

  private static func samplesInWords(_ plan: FaultPlan) -> String {
    plan.samples.map { "`arm64/\($0)`" }.joined(separator: ", ")
  }

  private static func inject(
    _ injection: Injection, _ patients: [Patient], _ plan: FaultPlan
  ) throws -> Outcome {
    var outcome = Outcome()
    var generator = SeededGenerator(UInt64(injection.rule.dropFirst(2)) ?? 1)
    let places = patients.map { ($0, injection.places($0)) }.filter { !$0.1.isEmpty }
    guard !places.isEmpty else { return outcome }
    var tries = 0
    while outcome.injections < plan.injected, tries < 10 * plan.wanted {
      let (patient, sites) = places[tries % places.count]
      tries += 1
      guard let site = sites.randomElement(using: &generator),
        let place = try injection.change(patient, site, &generator)
      else { continue }
      let report = Linter.run(patient.subject)
      patient.memory.reset()
      outcome.injections += 1
      // A note of the healthy image counts other things then, but it is the same note.
      let before = Set(patient.healthy.findings.map(\.rule.id))
      let new = report.findings.filter { !before.contains($0.rule.id) || $0.severity > .note }
      let named = new.contains { finding in
        finding.rule.id == injection.rule
          && finding.extents.contains { $0.overlaps(place) }
      }
      if named {
        outcome.found += 1
      } else {
        outcome.missed.append(
          "\(patient.name) \(place.lowerBound.address) level \(site.level) \(site.area) "
            + "\(site.entry.entry): \(new.map(\.rule.id))")
      }
      for finding in new where finding.rule.id != injection.rule {
        outcome.others["\(finding.rule.id) \(site.area)", default: 0] += 1
      }
    }
    return outcome
  }
}
