"""Many machines: tasks over folders and buckets on Ray. Needs the extra: `pip install 'szem[scale]'`."""

from szem.scale.driver import DryRun, ScaleReport, dry_run, run

__all__ = ["DryRun", "ScaleReport", "dry_run", "run"]
