import CFuzzer
import Glibc

// fuzz TARGET [libFuzzer's options and folders]: feeds one reader with what libFuzzer makes up.
// fuzz outcome-of INPUT: prints what `outcome` reads, of a real input.

/// What is fuzzed; libFuzzer's callback can hold nothing.
nonisolated(unsafe) var target: (UnsafeRawBufferPointer) -> Void = { _ in }

var arguments = CommandLine.arguments
if arguments.count == 3, arguments[1] == "outcome-of" {
  print(String(decoding: try Targets.outcome(of: arguments[2]), as: UTF8.self))
  exit(0)
}
guard arguments.count > 1, let chosen = Targets.all[arguments[1]] else {
  print("usage: fuzz TARGET [option or folder ...]")
  print("targets:", Targets.all.keys.sorted().joined(separator: ", "))
  exit(2)
}
target = chosen
arguments.remove(at: 1)

var count = Int32(arguments.count)
var values: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
values.withUnsafeMutableBufferPointer { buffer in
  var start = buffer.baseAddress
  exit(
    LLVMFuzzerRunDriver(&count, &start) { data, size in
      target(UnsafeRawBufferPointer(start: data, count: size))
      return 0
    })
}
