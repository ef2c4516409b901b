"""What the words of a report's cells mean, for the people who read the HTML report."""

from fakefacecli.base.verdicts import (
    Caveat,
    Claim,
    DetectorName,
    ErrorCode,
    Evidence,
    Integrity,
    Label,
    ProvenanceKind,
    Reason,
    Status,
    Trust,
)

WORDS: dict[str, dict[str, str]] = {
    "verdict": {
        Label.FLAGGED: "Flagged",
        Label.INCONCLUSIVE: "Inconclusive",
        Label.NOT_FLAGGED: "Not flagged",
    },
    "reason": {
        Reason.ABOVE_HIGH: "p_fake is at or above the high threshold.",
        Reason.BETWEEN_THRESHOLDS: "p_fake is between the two thresholds.",
        Reason.BELOW_LOW: "p_fake is below the low threshold. That does not show a real face.",
        Reason.FACE_TOO_SMALL: "The face is too small to judge.",
        Reason.FACE_TURNED: "The face is turned too far to judge.",
        Reason.FACE_CUT_OFF: "The face is too near the edge of the picture to judge.",
        Reason.PROFILE: "The face is seen from the side, and cannot be judged.",
        Reason.UNSTABLE: "Small changes of the picture change the verdict.",
    },
    "provenance": {
        ProvenanceKind.NONE: "The file says nothing of its origin.",
        ProvenanceKind.AI_DECLARED: "The file says that AI made it.",
        ProvenanceKind.CAMERA_DECLARED: "The file says that a camera took it. Anybody can write "
        "that into a file.",
        ProvenanceKind.INVALID: "What the file says of its origin is damaged or does not fit it.",
        ProvenanceKind.NOT_CHECKED: "What the file says of its origin was not looked at.",
    },
    "claim": {
        Claim.GENERATED: "made by a generator",
        Claim.COMPOSITE: "partly made by a generator",
        Claim.CAPTURED: "taken by a camera",
    },
    "c2pa": {
        Integrity.NONE: "none",
        Integrity.VALID: "its content credentials (C2PA) are whole and fit the file",
        Integrity.INVALID: "its content credentials (C2PA) are damaged or do not fit the file",
        Integrity.NOT_CHECKED: "not checked",
    },
    "trust": {
        Trust.TRUSTED: "the signer is on the trust list",
        Trust.UNTRUSTED: "the signer is not on the trust list",
    },
    "status": {
        Status.OK: "Faces found",
        Status.NO_FACE: "No face found",
        Status.ERROR: "Not readable",
    },
    "warning": {
        Caveat.INCOMPLETE: "The file lacks a part of its picture.",
        Caveat.PROFILE_IGNORED: "The colours may differ: what the file says of them could not be "
        "applied.",
    },
    "detector": {DetectorName.MTCNN: "MTCNN", DetectorName.CENTERFACE: "CenterFace"},
    "evidence": {
        Evidence.SCORE: "the score of a face",
        Evidence.PROVENANCE: "what the file says of itself",
        Evidence.KNOWN: "a list of known pictures",
    },
    "error_code": {
        ErrorCode.NOT_AN_IMAGE: "not an image",
        ErrorCode.UNSUPPORTED: "a format that is not read",
        ErrorCode.EMPTY: "empty",
        ErrorCode.TRUNCATED: "cut off",
        ErrorCode.CORRUPT: "damaged",
        ErrorCode.TOO_LARGE: "too large",
        ErrorCode.TIMEOUT: "took too long to decode",
        ErrorCode.DECODER_CRASHED: "the decoder crashed",
        ErrorCode.VANISHED: "gone before it was read",
        ErrorCode.FORBIDDEN: "no permission",
        ErrorCode.NOT_A_FILE: "not a file",
        ErrorCode.IO_ERROR: "the disk or network failed",
    },
    "group": {
        "flagged": "Flagged faces",
        "evidence": "Flagged by other evidence than the score",
        "inconclusive": "Inconclusive faces",
    },
    "odds": {
        "many": "That is clearly more: fakes may be more common here than that, or these images "
        "are unlike those that the model was measured on.",
    },
    "missing": {
        "gone": "The saved picture is no longer there.",
        "unreadable": "The saved picture cannot be read.",
        "left_out": "The picture is left out to keep this page small.",
        "none": "No picture was saved of this row.",
    },
}
