package import KernelText
internal import KernelImages
internal import MemoryImages
internal import PageTables

/// The dump that the kernel's own debugfs file prints of a table.
package enum KernelReport {
  /// - Returns: the text, and where its markers are from.
  package static func text(_ table: Table, of subject: Subject) -> (
    text: KernelText, markers: String
  ) {
    if let text = subject.text { return (text, "the text's own") }
    let architecture = subject.mode.architecture
    let dialect = architecture.dialect(release: subject.facts.release?.value)
    let markers =
      subject.image?.markers
      ?? Fact(
        architecture.usualMarkers(table.layout),
        "those of 6.12's usual configuration: the image has no address_markers that symbols tell")
    let space = table.root.flatMap { subject.image?.dumpedSpace(root: $0) } ?? table.space
    return (
      KernelText(showing: space, markers: markers.value, dialect: dialect), markers.source
    )
  }
}
