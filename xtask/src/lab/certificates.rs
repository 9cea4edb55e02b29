//! The lab's own certificate authority and a wildcard certificate for its domain.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};

use super::DOMAIN;
use super::places::Places;

/// Makes the certificates unless they are there.
pub(crate) fn ensure(places: &Places) -> Result<()> {
    let folder = places.lab_folder("ca")?;
    if ["ca.pem", "wildcard.pem", "wildcard.key"].iter().all(|name| folder.join(name).exists()) {
        return Ok(());
    }
    let (ca, issuer) = authority()?;
    let (certificate, key) = wildcard(&issuer)?;
    write(&folder.join("ca.key"), &issuer.key().serialize_pem(), 0o600)?;
    write(&folder.join("wildcard.pem"), &certificate, 0o644)?;
    write(&folder.join("wildcard.key"), &key, 0o600)?;
    write(&folder.join("ca.pem"), &ca, 0o644)
}

fn authority() -> Result<(String, Issuer<'static, KeyPair>)> {
    let mut params = long_lived("cc-ci lab", Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?.pem();
    Ok((certificate, Issuer::new(params, key)))
}

fn wildcard(issuer: &Issuer<'_, KeyPair>) -> Result<(String, String)> {
    let names = vec![format!("*.{DOMAIN}"), DOMAIN.to_owned()];
    let mut params = long_lived(&format!("*.{DOMAIN}"), names)?;
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, issuer)?.pem();
    Ok((certificate, key.serialize_pem()))
}

fn long_lived(common_name: &str, names: Vec<String>) -> Result<CertificateParams> {
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2049, 12, 31);
    Ok(params)
}

fn write(path: &Path, content: &str, mode: u32) -> Result<()> {
    fs::write(path, content).with_context(|| format!("cannot write {}", path.display()))?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    Ok(())
}
