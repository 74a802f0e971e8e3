//! Where this process is in the tree of control groups, and whether it may make groups below.

use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

/// Where a supervisor goes itself once the groups beside it have controllers: a group that gives them may hold nobody.
pub(super) const HOME: &str = "muster-supervisor";

/// The folder of the group this process was given, if groups can be made in it and processes moved there.
///
/// # Errors
/// Why not, for a person.
pub(in crate::process) fn own_folder() -> Result<PathBuf, String> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let folder = folder(&groups, &mounts)?;
    let may_write = |path: &Path| access(path, Access::WRITE_OK).is_ok();
    if may_write(&folder) && may_write(&folder.join("cgroup.procs")) {
        return Ok(folder);
    }
    Err(format!("the control group {} is not the supervisor's own", folder.display()))
}

/// The folder, from what the kernel says of the process's groups and of what is mounted.
fn folder(groups: &str, mounts: &str) -> Result<PathBuf, String> {
    let group = groups.lines().find_map(|line| line.strip_prefix("0::"));
    let group = group.ok_or("the system has no control groups of version 2")?;
    if group.split('/').any(|part| part == "..") {
        return Err("the supervisor's control group is outside of what it sees".to_owned());
    }
    let mount = mounts.lines().find_map(mounted);
    let (root, point) = mount.ok_or("no control groups of version 2 are mounted")?;
    let below = group.strip_prefix(root.trim_end_matches('/')).unwrap_or(group);
    let folder = Path::new(point).join(below.trim_start_matches('/'));
    Ok(match folder.parent() {
        Some(given) if folder.ends_with(HOME) => given.to_owned(),
        Some(_) | None => folder,
    })
}

/// Root and mount point, if a line of mountinfo is about control groups of version 2.
fn mounted(line: &str) -> Option<(&str, &str)> {
    let (mount, kind) = line.split_once(" - ")?;
    let mut fields = mount.split(' ').skip(3);
    let found = (fields.next()?, fields.next()?);
    (kind.split(' ').next() == Some("cgroup2")).then_some(found)
}

/// The controllers that groups below a folder can have, if they are ours to arrange.
pub(in crate::process) fn controllers(folder: &Path) -> Vec<String> {
    if !is_ours(folder) {
        return Vec::new();
    }
    let available = std::fs::read_to_string(folder.join("cgroup.controllers")).unwrap_or_default();
    available.split_ascii_whitespace().map(str::to_owned).collect()
}

/// True for a folder whose processes and controllers are ours to arrange: given to our user, marked as delegated, or
/// the root of a container. The root of the machine is nobody's to rearrange.
fn is_ours(folder: &Path) -> bool {
    if !folder.join("cgroup.type").exists() {
        return false;
    }
    let is_marked = ["trusted.delegate", "user.delegate"].iter().any(|name| {
        let mut value = [0; 8];
        rustix::fs::getxattr(folder, *name, &mut value).is_ok_and(|read| value[..read] == *b"1")
    });
    let is_root_of_namespace = std::fs::read_to_string("/proc/self/cgroup")
        .is_ok_and(|groups| groups.lines().any(|line| line == "0::/"));
    let user = rustix::process::geteuid();
    let is_given = !user.is_root()
        && std::fs::metadata(folder)
            .is_ok_and(|seen| std::os::unix::fs::MetadataExt::uid(&seen) == user.as_raw());
    is_marked || is_root_of_namespace || is_given
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "30 24 0:26 / /sys rw - sysfs sysfs rw\n35 30 0:30 /in /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";

    #[test]
    fn the_folder_is_where_the_group_is_mounted() {
        let found = |groups: &str| folder(groups, MOUNTS);
        assert_eq!(found("4:memory:/x\n0::/in/muster.service\n"), Ok("/sys/fs/cgroup/muster.service".into()));
        assert_eq!(found("0::/\n"), Ok("/sys/fs/cgroup/".into()));
        // It has gone into one below by itself.
        assert_eq!(
            found("0::/in/muster.service/muster-supervisor\n"),
            Ok("/sys/fs/cgroup/muster.service".into())
        );
        assert!(found("0::/../other\n").unwrap_err().contains("outside"));
        assert!(found("4:memory:/x\n").unwrap_err().contains("version 2"));
        assert!(folder("0::/\n", "30 24 0:26 / /sys rw - sysfs sysfs rw\n").unwrap_err().contains("mounted"));
    }
}
