package import MemoryImages
internal import PageTables

/// A process and where its page tables start.
package struct KernelProcess: Sendable, Equatable, Codable {
  package let pid: Int
  /// The name of its first thread (`comm`).
  package let name: String
  /// The physical address of its top table; under PTI the kernel's half of the pair.
  package let root: UInt64

  package init(pid: Int, name: String, root: UInt64) {
    self.pid = pid
    self.name = name
    self.root = root
  }

  /// What its table is called in reports: `pid 1 (init)`.
  package var label: String { "pid \(pid) (\(name))" }
}

/// An entry of a process's top table, in the kernel's half, that is not the kernel's own.
package struct KernelHalfDifference: Sendable, Equatable {
  package let slot: Int
  package let kernel: UInt64
  package let own: UInt64
}

extension KernelImage {
  /// The processes that have an address space of their own, in the order of the task list.
  ///
  /// Source: `struct task_struct` and `init_task`, include/linux/sched.h and init/init_task.c, 6.12.
  ///
  /// - Parameter types: from a vmlinux; the image's own BTF where nil.
  /// - Throws: `ImageError` where no types or symbols tell where processes lie, or the list is cut.
  package func processes(_ types: KernelTypes?) throws(ImageError) -> [KernelProcess] {
    let reader = VirtualReader(mode: mode, root: root, memory: memory)
    guard let types = types ?? self.types,
      let tasks = types["task_struct.tasks"], let pidAt = types["task_struct.pid"],
      let commAt = types["task_struct.comm"], let mmAt = types["task_struct.mm"],
      let pgdAt = types["mm_struct.pgd"]
    else {
      throw ImageError(
        memory.path, "nothing tells how the kernel's processes are laid out (no BTF in it)",
        advice: "give the vmlinux of the same build with --symbols")
    }
    guard let first = symbols?["init_task"] else {
      throw ImageError(
        memory.path, "no symbol tells where init_task is", advice: "give --symbols")
    }
    var found: [KernelProcess] = []
    var seen: Set<UInt64> = []
    var task = first
    // The list is a ring; a damaged one may be something else.
    while seen.insert(task).inserted, seen.count < 1 << 22 {
      guard let next = reader.word(at: task &+ tasks),
        let mm = reader.word(at: task &+ mmAt),
        let pid = reader.word(at: task &+ pidAt, size: 4),
        let comm = reader.bytes(at: task &+ commAt, count: 16)
      else {
        throw ImageError(
          memory.path, "the task at \(mode.text(task)) is not in the image",
          advice: "take the dump again with the kernel's data in it")
      }
      // Kernel threads have none.
      if mm != 0, let pgd = reader.word(at: mm &+ pgdAt), let root = walk(pgd).physical {
        let name = String(decoding: comm.prefix { $0 != 0 }, as: UTF8.self).quotable(most: 16)
        found.append(KernelProcess(pid: Int(pid), name: name, root: root))
      }
      task = next &- tasks
    }
    guard task == first else {
      throw ImageError(
        memory.path, "the list of tasks does not lead back to init_task: it is damaged",
        advice: "name the root with --table ADDRESS")
    }
    return found
  }

  /// The entries of the kernel's half in which a root differs from the kernel's own.
  ///
  /// The processor may have set bits of use in one of them.
  ///
  /// - Returns: none where each half has a root of its own, or a table cannot be read.
  package func kernelHalfDifferences(of other: UInt64) -> [KernelHalfDifference] {
    // Where each half has a root of its own, no process has a kernel's half.
    guard mode.hasOneRoot else { return [] }
    let level = mode.root
    var mine = [UInt64](repeating: 0, count: level.entries)
    var theirs = mine
    guard (try? mode.readTable(at: root, from: memory, into: &mine)) != nil,
      (try? mode.readTable(at: other, from: memory, into: &theirs)) != nil
    else { return [] }
    let usage = architecture.usageBits
    let first = level.index(of: mode.upperHalf)
    return (first..<level.entries).compactMap { slot in
      (mine[slot] ^ theirs[slot]) & ~usage == 0
        ? nil : KernelHalfDifference(slot: slot, kernel: mine[slot], own: theirs[slot])
    }
  }
}
