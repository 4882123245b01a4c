"""Sections: the parts of a project, into which tasks are put."""
