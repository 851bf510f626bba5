internal import PageTables

/// JUnit's XML, which test dashboards read: a suite an input, a test case a rule.
///
/// A rule fails by the findings that make the exit status 1; others are its output. That the input
/// was read whole is a test case, too.
///
/// Source: the Jenkins xUnit plugin's junit-10.xsd.
enum JUnitReport {
  static func check(_ result: CheckResult) -> String {
    let suites =
      result.reports.map { suite($0, of: result) } + result.unreadable.map { suite($0, of: result) }
    return """
      <?xml version="1.0" encoding="UTF-8"?>
      <testsuites name="ptdump-lint">
      \(suites.joined(separator: "\n"))
      </testsuites>

      """
  }

  private static func suite(_ input: UnreadableInput, of result: CheckResult) -> String {
    """
      <testsuite name="\(input.path.attribute)" tests="1" failures="0" errors="1" skipped="0">
        <properties>
          <property name="version" value="\(result.version)"/>
          <property name="exitStatus" value="\(result.status)"/>
        </properties>
    \(testCase(
      "input-read-whole", ["<error type=\"unreadable\" message=\"\(input.remark.attribute)\"/>"]))
      </testsuite>
    """
  }

  private static func suite(_ report: Linter.Report, of result: CheckResult) -> String {
    let mode = report.subject.mode
    let results = result.results(of: report)
    var cases = results.map { one in
      let title = "\(one.rule.id) \(one.rule.name)"
      func text(_ findings: [Judged]) -> String {
        findings.map { finding in
          ([
            [finding.remark, finding.severity.rawValue].compactMap { $0 }.joined(separator: ", ")
              + ": " + finding.message
          ] + TextReport.details(finding, mode: mode))
          .joined(separator: "\n")
        }.joined(separator: "\n\n")
      }
      let parts = [
        one.skipped.map { "<skipped message=\"\($0.attribute)\"/>" },
        one.failures.first.map {
          "<failure type=\"\($0.severity.rawValue)\" message=\"\($0.message.attribute)\">"
            + "\(text(one.failures).xml)</failure>"
        },
        one.remarks.isEmpty ? nil : "<system-out>\(text(one.remarks).xml)</system-out>",
      ]
      return testCase(title, parts.compactMap { $0 })
    }
    let incomplete = report.incompleteness?.attribute
    let whole = incomplete.map {
      result.allowIncomplete
        ? "<skipped message=\"\($0)\"/>" : "<error type=\"incomplete\" message=\"\($0)\"/>"
    }
    cases.append(testCase("input-read-whole", [whole].compactMap { $0 }))
    let errors = incomplete != nil && !result.allowIncomplete ? 1 : 0
    let skipped =
      results.count { $0.skipped != nil } + (incomplete != nil && result.allowIncomplete ? 1 : 0)
    let remarks = report.remarks.map { ("remark", $0) }
    let properties =
      ([
        ("version", result.version), ("exitStatus", "\(result.status)"),
        ("complete", "\(!report.isIncomplete)"), ("summary", result.summary),
      ] + remarks).map { "      <property name=\"\($0)\" value=\"\($1.attribute)\"/>" }
    return """
        <testsuite name="\(report.subject.path.attribute)" tests="\(cases.count)" \
      failures="\(results.count { !$0.failures.isEmpty })" errors="\(errors)" skipped="\(skipped)">
          <properties>
      \(properties.joined(separator: "\n"))
          </properties>
      \(cases.joined(separator: "\n"))
        </testsuite>
      """
  }

  private static func testCase(_ name: String, _ parts: [String]) -> String {
    let start = "    <testcase classname=\"ptdump-lint\" name=\"\(name.attribute)\""
    return parts.isEmpty ? start + "/>" : start + ">" + parts.joined() + "</testcase>"
  }
}

extension String {
  /// As text of XML.
  fileprivate var xml: String {
    printable.replacing("&", with: "&amp;").replacing("<", with: "&lt;")
      .replacing(">", with: "&gt;")
  }

  /// As an attribute's value.
  fileprivate var attribute: String {
    xml.replacing("\"", with: "&quot;").replacing("\n", with: "&#10;")
      .replacing("\t", with: "&#9;")
  }
}
