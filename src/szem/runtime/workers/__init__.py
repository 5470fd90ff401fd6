"""Worker processes: native work on a stranger's bytes runs where it can end without ending anything else."""
