internal import KernelImages
internal import KernelText
internal import MemoryImages
internal import PageTables

extension Rule {
  /// Runs of an area by what the kernel's release excuses: first those that nothing does.
  static func byHabit(
    _ runs: [Run], _ area: Area, _ defect: Habit.Defect, _ subject: Subject
  ) -> [(habit: Habit?, runs: [Run])] {
    var groups: [(habit: Habit?, runs: [Run])] = []
    for run in runs {
      let habit = subject.architecture.habit(defect, of: run, in: area)
      let excuse = habit.flatMap { subject.facts.isAtLeast($0.before) == false ? $0 : nil }
      if let index = groups.firstIndex(where: { $0.habit == excuse }) {
        groups[index].runs.append(run)
      } else {
        groups.insert((excuse, [run]), at: excuse == nil ? 0 : groups.count)
      }
    }
    return groups
  }

  /// For the end of a message.
  static func words(_ habit: Habit?) -> String {
    habit.map { ", as kernels before \($0.before.short) leave it" } ?? ""
  }

  static func evidence(_ habit: Habit?) -> [Evidence] {
    habit.map { [.fact("before \($0.before.short) \($0.words)", source: $0.source)] } ?? []
  }
}

extension Rule.Need {
  /// The release, where older kernels did in health what is seen.
  ///
  /// - Parameter seen: what the rule would judge, by area.
  static func release(
    toJudge defect: Habit.Defect, in seen: @escaping @Sendable (Subject) -> [(Area, [Run])]
  ) -> Rule.Need {
    Rule.Need("a known release, where older kernels did in health what is seen") { subject in
      guard subject.facts.version == nil else { return nil }
      for (area, runs) in seen(subject) {
        for run in runs {
          let habit = subject.architecture.habit(defect, of: run, in: area)
          if let habit, subject.facts.isAtLeast(habit.before) == nil {
            return "not known whether the kernel is \(habit.before.short) or later: give --release"
          }
        }
      }
      return nil
    }.toldBySymbols { $0.facts.version == nil }
  }
}
