"""What `facenet doctor` finds: whether this installation, its models and its gallery are in order."""

from service.commands.installation.finding import Findings
from service.commands.installation.gallery_checks import (
    check_data_directory,
    check_milvus,
    check_service_and_gallery,
)
from service.commands.installation.key_checks import check_keys
from service.commands.installation.machine_checks import check_processor, check_provider, check_versions
from service.commands.installation.model_checks import check_models
from service.domain.command_errors import InvalidSettings
from service.settings.environment import load_settings


def examine() -> Findings:
    """Run all checks. Nothing is changed."""
    findings = Findings()
    check_versions(findings)
    check_processor(findings)
    try:
        settings = load_settings()
    except InvalidSettings as error:
        findings.fault("settings", f"{error} The other checks need valid settings.")
        return findings
    findings.ok("settings", "all are valid. facenet settings lists them")
    check_provider(findings, settings)
    check_models(findings, settings)
    check_keys(findings, settings)
    check_data_directory(findings, settings)
    check_milvus(findings, settings)
    check_service_and_gallery(findings, settings)
    return findings
