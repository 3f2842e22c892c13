import PareFormats

extension Parameter {
    /// Gives back the memory that reading this parameter took: a large model need not stay in memory to be looked at.
    func dropPages() {
        if case .mapped(let file, let range) = stored { file.dropPages(range) }
    }
}
