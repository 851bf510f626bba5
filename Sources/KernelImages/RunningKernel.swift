package import MemoryImages
internal import Glibc
internal import KernelText
internal import PageTables

/// The kernel that this program runs on.
package enum RunningKernel {
  /// Where its tables are read.
  package enum Source: Sendable {
    case text(path: String, bytes: [UInt8])
    case memory(KcoreImage)
  }

  private static let debugfs = "/sys/kernel/debug"
  /// Its own dumps: since 4.15, and before.
  private static let dumps = ["\(debugfs)/page_tables/kernel", "\(debugfs)/kernel_page_tables"]

  /// The kernel's own dump, else its memory.
  ///
  /// - Parameters:
  ///   - needsMemory: the dump does not do.
  ///   - limit: the bytes that a dump may have.
  /// - Throws: `ImageError` that says what is missing, and the command that helps.
  package static func open(needsMemory: Bool, limit: Int) throws(ImageError) -> Source {
    if !needsMemory {
      for path in dumps {
        guard let bytes = try? MappedFile(path: path).wholeContent(limit: limit), !bytes.isEmpty
        else { continue }
        return .text(path: path, bytes: bytes)
      }
    }
    do {
      return .memory(try KcoreImage())
    } catch {
      throw missing(error, needsMemory: needsMemory)
    }
  }

  /// Why neither can be read.
  private static func missing(_ kcore: ImageError, needsMemory: Bool) -> ImageError {
    let name = "the running kernel"
    guard geteuid() == 0 else {
      return ImageError(
        name, "only root may read its page tables",
        advice: "run sudo ptdump-lint, or give a dump or a memory image")
    }
    guard unsafe access(mounts, F_OK) == 0 else {
      return ImageError(
        name, "/proc is not mounted",
        advice: "mount -t proc none /proc, or give a dump or a memory image")
    }
    var problems: [String] = []
    var advice: [String] = []
    if !needsMemory {
      if !isMounted("debugfs", on: debugfs) {
        problems.append("debugfs is not mounted")
        advice.append("mount -t debugfs none \(debugfs)")
      } else {
        problems.append(
          dumps.contains { unsafe access($0, F_OK) == 0 }
            ? "its page tables in debugfs cannot be read"
            : "it has no page tables in debugfs (CONFIG_PTDUMP_DEBUGFS is off)")
      }
    }
    if unsafe access(KcoreImage.file, F_OK) == 0 {
      if let level = lockdown {
        problems.append("\(KcoreImage.file) is locked down (\(level))")
        advice.append("boot with lockdown=integrity")
      } else {
        problems.append("\(KcoreImage.file): \(kcore.problem)")
        if kcore.problem.hasSuffix(unsafe String(cString: strerror(EPERM))) {
          advice.append(
            "run it with CAP_SYS_RAWIO, outside of a container, without lockdown=confidentiality")
        }
      }
    } else {
      problems.append("it has no \(KcoreImage.file) (CONFIG_PROC_KCORE is off)")
    }
    advice.append("give a dump or a memory image")
    return ImageError(
      name, problems.joined(separator: ", and "), advice: advice.joined(separator: ", or "))
  }

  private static let mounts = "/proc/self/mounts"

  private static func isMounted(_ type: String, on place: String) -> Bool {
    let mounts = (try? MappedFile(path: mounts).contentToEnd(limit: 1 << 24)) ?? []
    return mounts.split(separator: 10).contains { line in
      let words = line.split(separator: 32).map { String(decoding: $0, as: UTF8.self) }
      return words.count > 2 && words[1] == place && words[2] == type
    }
  }

  /// The content of a file of one line; nil where it cannot be read.
  private static func line(_ path: String) -> String? {
    guard let bytes = try? MappedFile(path: path).contentToEnd(limit: 4096) else { return nil }
    return String(decoding: bytes.prefix { $0 != 10 }, as: UTF8.self)
  }

  /// The lockdown in force, if it is one that closes /proc/kcore: `confidentiality`.
  ///
  /// None closes debugfs page_tables, a file that only its owner can read and nobody can write.
  /// Source: enum lockdown_reason, include/linux/security.h; debugfs_locked_down,
  /// fs/debugfs/file.c, 6.12.
  private static var lockdown: String? {
    guard let text = line("/sys/kernel/security/lockdown"),
      let level = text.split(separator: "[").last?.prefix(while: { $0 != "]" }),
      level == "confidentiality"
    else { return nil }
    return String(level)
  }

  /// What the system says of its kernel, besides the tables.
  package static var facts: KernelFacts {
    var facts = KernelFacts()
    let release = "/proc/sys/kernel/osrelease"
    facts.release = line(release).map { Fact($0, release) }
    // "Not affected" is said even where pti=on forces it.
    // Source: cpu_show_common, arch/x86/kernel/cpu/bugs.c, 6.12.
    let meltdown = "/sys/devices/system/cpu/vulnerabilities/meltdown"
    switch line(meltdown) {
    case "Mitigation: PTI": facts.pti = Fact(true, "\(meltdown): Mitigation: PTI")
    case "Vulnerable": facts.pti = Fact(false, "\(meltdown): Vulnerable")
    default: break
    }
    return facts
  }

  /// Its symbols; nil where kptr_restrict hides their addresses, all of which are zero then.
  ///
  /// Source: `kallsyms_show_value`, kernel/ksyms_common.c, 6.12.
  package static func symbols() -> Symbols? { symbols(in: "/proc/kallsyms") }

  /// - Parameter path: a file as /proc/kallsyms is.
  package static func symbols(in path: String) -> Symbols? { try? SymbolFile.read(path) }

  /// Its log, as far as the ring still holds it; nil where it may not be read.
  ///
  /// Source: Documentation/ABI/testing/dev-kmsg: a read gives a record.
  package static var log: Fact<String>? {
    let path = "/dev/kmsg"
    let file = unsafe Glibc.open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var text = ""
    var buffer = [UInt8](repeating: 0, count: 16 << 10)
    while true {
      let count = unsafe buffer.withUnsafeMutableBytes {
        unsafe read(file, $0.baseAddress, $0.count)
      }
      // EPIPE: the record was overwritten; the next read gives the oldest that is left.
      if count < 0, errno == EPIPE || errno == EINTR { continue }
      guard count > 0 else { break }
      text += consoleForm(String(decoding: buffer[..<count], as: UTF8.self))
    }
    return text.isEmpty ? nil : Fact(text, path)
  }

  /// `6,339,5140900,-;text` as `[    5.140900] text`, without the dictionary's lines behind it.
  static func consoleForm(_ record: String) -> String {
    let parts = record.split(separator: ";", maxSplits: 1, omittingEmptySubsequences: false)
    let fields = parts[0].split(separator: ",")
    guard parts.count == 2, fields.count > 2, let time = UInt64(fields[2]) else { return "" }
    let stamp = LogStamp(microseconds: time).text
    let words = parts[1].prefix { $0 != "\n" }
    // A line break inside a record is escaped.
    return words.split(separator: "\\x0a", omittingEmptySubsequences: false).map {
      "\(stamp)\($0)\n"
    }.joined()
  }
}
