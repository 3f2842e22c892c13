import ArgumentParser
import PareTensor

/// Exit codes of the command; `pare --help` and docs/command.md list them.
enum ExitStatus {
    static let done: Int32 = 0
    /// `diff` found a difference.
    static let different: Int32 = 1
    static let usage: Int32 = 2
    static let data: Int32 = 3
    static let resource: Int32 = 4
    static let plugin: Int32 = 5
    static let nothingToDo: Int32 = 6
    static let `internal`: Int32 = 70
    static let cancelled: Int32 = 130

    static func of(_ status: Status) -> Int32 {
        if status == .nothingToDo { return nothingToDo }
        return switch status.rawValue / 100 {
        case 1: usage
        case 2: data
        case 3: resource
        case 4: cancelled
        case 5: plugin
        default: `internal`
        }
    }

    static let help = """
        Exit codes:
          0    done
          1    the models differ (diff), or a plugin failed a check (validate)
          2    wrong arguments: unknown option, plugin, parameter or file name
          3    wrong data: malformed file, shapes or types that do not fit, NaN
          4    missing resources: memory, disk, permissions, existing file
          5    a plugin could not be loaded or broke its contract
          6    nothing to do, under --strict
          70   internal error
          130  cancelled
        """
}
