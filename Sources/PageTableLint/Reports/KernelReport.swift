package import KernelText
internal import KernelImages
package import MemoryImages
internal import PageTables

/// The dump that the kernel's own debugfs file prints of a table.
package enum KernelReport {
  /// - Returns: the text, and where its markers are from.
  /// - Throws: `ImageError` where nothing tells what the kernel would mark.
  package static func text(_ table: Table, of subject: Subject) throws(ImageError) -> (
    text: KernelText, markers: String
  ) {
    if let text = subject.text { return (text, "the text's own") }
    let architecture = subject.mode.architecture
    let dialect = architecture.dialect(release: subject.facts.release?.value)
    guard
      let markers = subject.image?.markers
        ?? architecture.usualMarkers(table.layout).map({
          Fact(
            $0,
            "those of 6.12's usual configuration: the image has no address_markers that symbols tell"
          )
        })
    else {
      throw ImageError(
        subject.path, "no symbol tells where the kernel's areas begin (address_markers)",
        advice: "give the vmlinux or System.map of the same build with --symbols")
    }
    let space = table.root.flatMap { subject.image?.dumpedSpace(root: $0) } ?? table.space
    return (
      KernelText(showing: space, markers: markers.value, dialect: dialect), markers.source
    )
  }
}
