// PareKit
