import Foundation
import Support
import Testing

/// Runs over several inputs: a bad one does not stop the rest, and each is let go before the next.
@Suite struct ManyInputTests {
  private static let good = "samples/healthy/kernel.txt"
  private static let failing = "samples/real-failure/memory.elf"
  private static let bad = "samples/healthy/iomem.txt"

  private func lines(_ text: String) throws -> [[String: Any]] {
    try text.split(separator: "\n").map {
      try #require(JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
    }
  }

  @Test func aBadInputDoesNotStopTheRest() throws {
    let run = try ProgramRun([
      "check", "--no-config", "--format", "jsonl", Self.good, "nowhere", Self.bad, Self.failing,
    ])
    #expect(run.status == 1)
    let objects = try lines(run.output)
    let order = objects.compactMap { object -> String? in
      (object["input"] ?? object["unreadable"]).flatMap {
        ($0 as? [String: Any])?["path"] as? String
      }
    }
    #expect(order == [Self.good, "nowhere", Self.bad, Self.failing])
    let missing = try #require(objects.compactMap { $0["unreadable"] as? [String: String] }.first)
    #expect(missing["reason"]?.contains("No such file") == true && missing["cause"] == "input")
    #expect(run.errors.contains("nowhere: cannot open") && run.errors.contains(Self.bad))
    // What a line is of: the number of input lines before that input's.
    for key in ["finding", "skippedRule", "fault", "statistics", "cpaSelfTest"] {
      let inputs = objects.compactMap { ($0[key] as? [String: Any])?["input"] as? Int }
      #expect(inputs.count == objects.count { $0[key] != nil } && inputs.allSatisfy { $0 < 2 })
      #expect(inputs == inputs.sorted())
    }
    let verdicts = try SchemaTests().validate(
      run.output.split(separator: "\n").map { Data($0.utf8) }, "check-line")
    #expect(verdicts.allSatisfy { $0 == "valid" }, "\(verdicts)")
  }

  /// 1 for findings, else 2 for what was not read, else 3 for what was read in part.
  @Test func theWorstCounts() throws {
    let part = "head -n 60 \"$1/\(Self.good)\" > part.txt; \"$0\" check --no-config -q"
    for (inputs, status) in [
      ("part.txt nowhere \"$1/\(Self.failing)\"", 1), ("part.txt nowhere \"$1/\(Self.good)\"", 2),
      ("part.txt \"$1/\(Self.good)\"", 3), ("nowhere", 2),
    ] {
      let run = try ProgramRun.shell("\(part) \(inputs) > /dev/null 2>&1; echo $?")
      #expect(run.output == "\(status)\n", "\(inputs)")
    }
  }

  @Test(arguments: ["text", "json", "sarif", "junit", "ktap", "github", "gitlab", "markdown"])
  func everyFormatNamesIt(_ format: String) throws {
    let run = try ProgramRun([
      "check", "--no-config", "--format", format, "nowhere", Self.good,
    ])
    #expect(run.status == 2)
    #expect(run.output.contains("nowhere") && run.output.contains("No such file"))
    if ["json", "gitlab"].contains(format) {
      let schema = format == "json" ? "check" : format
      #expect(try SchemaTests().validate([Data(run.output.utf8)], schema) == ["valid"])
    }
  }

  /// JSON tells it; nothing is printed for people, whom standard error told.
  @Test func nothingWasRead() throws {
    let json = try ProgramRun(["check", "--no-config", "--format", "json", "nowhere"])
    #expect(json.status == 2)
    #expect(try SchemaTests().validate([Data(json.output.utf8)], "check") == ["valid"])
    #expect((try json.json()["unreadable"] as? [Any])?.count == 1)
    let text = try ProgramRun(["check", "--no-config", "nowhere"])
    #expect(text.status == 2 && text.output.isEmpty && text.errors.contains("cannot open"))
  }

  @Test func aFileNamesInputs() throws {
    let run = try ProgramRun.shell(
      "printf '%s\\n\\n%s\\nnowhere\\n' \"$1/\(Self.good)\" \"$1/\(Self.good)\" > list; "
        + "\"$0\" check --no-config --format json --inputs-from list 2> /dev/null; "
        + "\"$0\" check --no-config --format json --inputs-from - < list > again 2> /dev/null; "
        + "\"$0\" check --no-config --format json --inputs-from list 2> /dev/null | cmp - again")
    let report = try #require(
      JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [String: Any])
    #expect((report["inputs"] as? [Any])?.count == 2)
    #expect((report["unreadable"] as? [Any])?.count == 1)
    #expect(run.status == 0)
    for line in [": > list", "rm -f list"] {
      let none = try ProgramRun.shell(
        "\(line); \"$0\" check --no-config --inputs-from list 2> errors; echo $?; cat errors")
      #expect(none.output.hasPrefix("2\n") && none.output.contains("list"))
    }
    let list = try ProgramRun.shell(
      "echo \"$1/\(Self.good)\" > list; \"$0\" check --no-config --format json=list "
        + "--inputs-from list 2> /dev/null; echo $?; cat list")
    #expect(list.output.hasPrefix("2\n/"))
  }

  /// Not yet judged inputs hold nothing back: the lines of the first come while the second is awaited.
  @Test func linesComeAsInputsAreJudged() throws {
    let run = try ProgramRun.shell(
      "mkfifo pipe; : > out; printf '%s\\n-\\n' \"$1/\(Self.good)\" > list; exec 4<> pipe; "
        + "\"$0\" check --no-config --format jsonl --inputs-from list < pipe > out 4>&- & "
        + "for i in $(seq 600); do grep -q skippedRule out && break; sleep 0.1; done; "
        + "grep -c '^.\"input\"' out; grep -c summary out; "
        + "cat \"$1/\(Self.good)\" > pipe; exec 4>&-; wait; "
        + "grep -c '^.\"input\"' out; grep -c summary out")
    #expect(run.output == "1\n0\n2\n1\n")
  }

  /// Peak memory in KiB, of as many inputs as there are.
  private func peak(_ count: Int, _ options: String) throws -> Int {
    let script =
      "import resource, subprocess, sys; subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL); "
      + "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    let run = try ProgramRun.shell(
      "for i in $(seq \(count)); do cp \"$1/\(Self.failing)\" $i.elf; ls $i.elf >> list; done; "
        + "/usr/bin/python3 -c '\(script)' \"$0\" check --no-config \(options)")
    return try #require(Int(run.output.trimmingCharacters(in: .whitespacesAndNewlines)))
  }

  /// Each image was kept to the end once: 50 took 519 MB.
  @Test(arguments: [
    "--format jsonl --inputs-from list", "--format json --inputs-from list", "--format sarif *.elf",
  ])
  func manyTakeTheMemoryOfOne(_ options: String) throws {
    let one = try peak(1, options)
    let many = try peak(16, options)
    #expect(many < one * 3 / 2, "\(one) KiB for one, \(many) KiB for 16")
  }

  /// What runs out is no fault of the input, and its advice is another.
  @Test func resourcesAreNotTheInput() throws {
    let space = try ProgramRun.shell(
      "cp \"$1/\(Self.failing)\" big.elf; truncate -s 64G big.elf; (ulimit -v 8000000; "
        + "\"$0\" check --no-config --format json big.elf 2> /dev/null)")
    let report = try #require(
      JSONSerialization.jsonObject(with: Data(space.output.utf8)) as? [String: Any])
    let entry = try #require((report["unreadable"] as? [[String: String]])?.first)
    #expect(entry["cause"] == "memory")
    #expect(entry["advice"]?.contains("ulimit -v") == true)
    #expect(entry["advice"]?.contains("permissions") == false)
    let disk = try ProgramRun.shell(
      "gzip -c \"$1/\(Self.failing)\" > packed; (ulimit -f 1; "
        + "\"$0\" check --no-config --format json packed 2> /dev/null | cat)")
    #expect(disk.output.contains("\"cause\" : \"disk\""))
    #expect(disk.output.contains("TMPDIR"))
  }

  @Test func whatIsKnownOfTheKernelIsFacts() throws {
    let run = try ProgramRun([
      "check", "--no-config", "--format", "json", "--log", "samples/cpa-2008/kernel.log",
      "samples/cpa-2008/memory.elf",
    ])
    let inputs = try #require(try run.json()["inputs"] as? [[String: Any]])
    let facts = try #require(inputs[0]["facts"] as? [String: [String: String]])
    #expect(facts["buildId"]?["source"] == "VMCOREINFO")
    #expect(facts["commandLine"]?["value"]?.contains("console") == true)
    #expect(facts["directPages"]?["value"]?.split(separator: " ").count == 3)
    #expect(facts["crashTime"] == nil)
  }

  /// Threads of the process that reads an input want the same locks; one of seven runs never ended.
  @Test func eachProcessEnds() throws {
    let run = try ProgramRun.shell(
      "for i in $(seq 24); do timeout 60 \"$0\" check --no-config \"$1\"/samples/healthy/kernel.txt"
        + " \"$1\"/samples/cpa-2008/memory.elf \"$1\"/samples/healthy/memory.elf > /dev/null 2>&1;"
        + " s=$?; echo $s; [ $s = 124 ] && break; done")
    #expect(Set(run.output.split(separator: "\n")) == ["1"])
  }

  /// A crash's note has its time: in seconds for programs, as a date for people.
  @Test(arguments: [
    ("json", ["\"value\" : \"1700000000\"", "\"value\" : \"64480 2 0\""]),
    (
      "text",
      [
        "crashTime: 2023-11-14 22:13:20 UTC",
        "directPages: 64480 of 4K, 2 of 2M, 0 of 1G, 255.8 MiB",
        // From the image's own log.
        "commandLine: console=ttyS0",
      ]
    ),
  ])
  func factsAreAsTheirReadersWant(_ format: String, _ expected: [String]) throws {
    let crashed = try ProgramRun.shell(
      "sed -E 's/BUILD-ID=[0-9a-f]{15}([0-9a-f]{25})/CRASHTIME=1700000000\\nXX=\\1/' "
        + "\"$1/samples/healthy/memory.elf\" "
        + "> crashed.elf; \"$0\" info --format \(format) crashed.elf")
    for words in expected { #expect(crashed.output.contains(words), "\(crashed.output)") }
  }

  @Test func statisticsAreThoseOfStats() throws {
    let image = "samples/cpa-2008/memory.elf"
    let check = try ProgramRun(["check", "--no-config", "--format", "json", image]).json()
    let stats = try ProgramRun(["stats", "--format", "json", image]).json()
    let own = try #require((check["statistics"] as? [[String: Any]])?.first)
    for key in ["areas", "directMap"] {
      #expect(own[key] as? NSObject == stats[key] as? NSObject && own[key] != nil)
    }
    #expect(own["input"] as? Int == 0 && own["table"] as? String == "kernel")
  }
}
