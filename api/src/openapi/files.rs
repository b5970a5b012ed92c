//! Files, shares, downloads, receipts.

use sealpost_crypto::size::PART_CIPHERTEXT;

use super::{
    header::{Parameter, ResponseHeader},
    operation::{Group, Operation},
};
use crate::{
    OCTET_STREAM,
    batch::{CreateFiles, FileResults, FileShareResults, ShareFiles},
    file::{
        CompleteFile, CreateFile, FileView, Manifests, OwnFileView, PairPage, PairQuery, PartDigests,
        PartsQuery, PostReceipt, ReceiptQuery, ReceiptView, RekeyFile, ShareFile, ShareResults, ShareView,
        UnshareFile, UploadView, WithdrawFile,
    },
    limits::{MAX_BATCH_BODY, MAX_SHARE_BODY},
    paging::PageQuery,
    problem::ErrorCode::{
        AlreadyComplete, AlreadyShared, DigestMismatch, IdTaken, LimitReached, LogUnknown, NotFound,
        OwnerActive, PairConflict, PartConflict, PartsMissing, RangeNotSatisfiable, RecipientPending,
        RecipientUnknown, RecordInvalid, ShareChanged, SharesChanged, StorageFull, TooLarge, Unavailable,
        Unsupported, VersionReplaced,
    },
    routes,
};

pub(super) fn uploads() -> Group {
    Group {
        name: "Uploads",
        about: "Begin, put the parts in any order and several at a time, complete (protocol §7). Each step may be repeated.",
        operations: vec![
            Operation::of(routes::CREATE_FILE)
                .about("The id is 16 random bytes of the owner's choice.")
                .takes::<CreateFile>()
                .gives::<UploadView>(201, "The upload has begun.")
                .gives::<UploadView>(200, "It had begun before; nothing was changed.")
                .again("The same file and version give where the upload stands.")
                .fails(&[IdTaken, LimitReached, NotFound, Unsupported]),
            Operation::of(routes::PUT_PART)
                .about("The answer means that the bytes would survive a power cut.")
                .headers(&[Parameter::PartDigest, Parameter::ContentLength])
                .takes_bytes(OCTET_STREAM, PART_CIPHERTEXT as usize)
                .gives_nothing("The part is stored.")
                .again("The same bytes are answered as if they were stored now; other ones are `part_conflict`.")
                .fails(&[PartConflict, AlreadyComplete, DigestMismatch, LimitReached]),
            Operation::of(routes::PARTS)
                .about(
                    "To its owner also while an upload is unfinished: what is missing is zeros. To recipients once it is live.",
                )
                .query::<PartsQuery>()
                .gives::<PartDigests>(200, "Digests, from the index asked for."),
            Operation::of(routes::COMPLETE)
                .about("Checks that every part is there and that all agrees with the manifest; then the file is live.")
                .takes::<CompleteFile>()
                .gives::<FileView>(200, "The file is live.")
                .again("The same manifest gives the file as it stands; another one is `already_complete`.")
                .fails(&[
                    AlreadyComplete, PairConflict, PartsMissing, DigestMismatch, RecordInvalid, LogUnknown, LimitReached,
                    RecipientUnknown, Unsupported,
                ]),
            Operation::of(routes::REKEY)
                .about(
                    "A next version, whose parts were uploaded like those of the first, takes the place of the live one together with \
                     all its shares, in one transaction; then the old ciphertext goes. Whoever is downloading begins anew, under the \
                     same ticket.",
                )
                .takes_up_to::<RekeyFile>(MAX_SHARE_BODY)
                .gives::<FileView>(200, "The new version is live.")
                .again("The same manifest gives the file as it stands; another one is `already_complete`.")
                .fails(&[
                    AlreadyComplete, PairConflict, SharesChanged, PartsMissing, DigestMismatch, RecordInvalid, LogUnknown,
                    LimitReached, RecipientUnknown,
                ]),
            Operation::of(routes::CANCEL_VERSION)
                .about("For a version that is not live: its parts go, and it may begin anew. The file stays as it is.")
                .gives_nothing("There is no such upload any more.")
                .again("Answered as if it were cancelled now.")
                .fails(&[AlreadyComplete]),
            Operation::of(routes::CREATE_FILES)
                .about(
                    "Whole files of one part each: what the three steps above say, in one piece. Each is accepted or refused by \
                     itself, by the same rules.",
                )
                .takes_up_to::<CreateFiles>(MAX_BATCH_BODY)
                .gives::<FileResults>(200, "What became of each file, in the same order.")
                .again("Files that are live with the same manifest count as stored now.")
                .fails(&[LimitReached])
                .items_fail(&[
                    IdTaken, AlreadyComplete, PairConflict, PartConflict, DigestMismatch, RecordInvalid,
                    LogUnknown, LimitReached, RecipientUnknown, TooLarge, Unavailable, Unsupported,
                ]),
        ],
    }
}

pub(super) fn files() -> Group {
    Group {
        name: "Files",
        about: "Lists, single files, the ciphertext. Names are sealed: only clients can read them.",
        operations: vec![
            Operation::of(routes::FILES)
                .about("Newest first, each with its first shares. Pages with many shares are shorter than asked for.")
                .query::<PageQuery>()
                .gives_page_of::<OwnFileView>("Files."),
            Operation::of(routes::FILES_SHARED)
                .about("What runs now, newest first: shares that ended, expired or are used up are left out.")
                .query::<PageQuery>()
                .gives_page_of::<FileView>("Files."),
            Operation::of(routes::FILE)
                .about("Under a ticket that was paid for, also when the share's last download is under way.")
                .headers(&[Parameter::Ticket])
                .gives::<FileView>(200, "The file."),
            Operation::of(routes::MANIFESTS)
                .about("By these a reader who has seen an earlier version knows that the newest one follows it.")
                .gives::<Manifests>(200, "The manifests, the newest first; none while there is one version only."),
            Operation::of(routes::DELETE_FILE)
                .about("Access ends at once, and the content goes. Signed records stay as evidence.")
                .gives_nothing("The file is gone.")
                .again("Answered as if it were deleted now."),
            Operation::of(routes::DOWNLOAD)
                .about(
                    "The first request under a ticket counts as a download. `HEAD` gives the same headers and counts nothing.",
                )
                .headers(&[Parameter::Range, Parameter::Ticket, Parameter::IfMatch])
                .gives_other(
                    200,
                    OCTET_STREAM,
                    &[
                        ResponseHeader::Ticket, ResponseHeader::ETag, ResponseHeader::AcceptRanges,
                        ResponseHeader::ContentDisposition,
                    ],
                    "The whole ciphertext.",
                )
                .gives_other(
                    206,
                    OCTET_STREAM,
                    &[
                        ResponseHeader::Ticket, ResponseHeader::ETag, ResponseHeader::AcceptRanges,
                        ResponseHeader::ContentDisposition, ResponseHeader::ContentRange,
                    ],
                    "The range.",
                )
                .fails(&[RangeNotSatisfiable, StorageFull, VersionReplaced]),
        ],
    }
}

pub(super) fn shares() -> Group {
    Group {
        name: "Shares and receipts",
        about: "Who gets a file, and what they signed when they had it.",
        operations: vec![
            Operation::of(routes::SHARE)
                .about("Each share is accepted or refused by itself.")
                .takes_up_to::<ShareFile>(MAX_SHARE_BODY)
                .gives::<ShareResults>(200, "What became of each share, in the same order.")
                .again("Shares that are stored already count as stored now.")
                .fails(&[LimitReached, RecordInvalid])
                .items_fail(&[
                    RecordInvalid,
                    LogUnknown,
                    LimitReached,
                    RecipientUnknown,
                    RecipientPending,
                    PairConflict,
                    AlreadyShared,
                    ShareChanged,
                ]),
            Operation::of(routes::SHARE_FILES)
                .about("Shares of several files. Each is accepted or refused by itself, by the same rules as above.")
                .takes_up_to::<ShareFiles>(MAX_SHARE_BODY)
                .gives::<FileShareResults>(200, "What became of each share, in the same order.")
                .again("Shares that are stored already count as stored now.")
                .fails(&[LimitReached])
                .items_fail(&[
                    NotFound, RecordInvalid, LogUnknown, LimitReached, RecipientUnknown, RecipientPending, PairConflict,
                    AlreadyShared,
                ]),
            Operation::of(routes::SHARES)
                .about("To others, ended ones too, oldest first.")
                .query::<PageQuery>()
                .gives_page_of::<ShareView>("Shares."),
            Operation::of(routes::UNSHARE)
                .takes::<UnshareFile>()
                .gives_nothing("The share has ended.")
                .again("The same record is answered as if it were stored now.")
                .fails(&[PairConflict, RecordInvalid, LogUnknown]),
            Operation::of(routes::WITHDRAW)
                .about("What a former member left behind: from here on nobody reads it. Content and records stay, as evidence.")
                .takes::<WithdrawFile>()
                .gives_nothing("The file is out of circulation.")
                .again("Answered as if it were withdrawn now, by whoever it was.")
                .fails(&[OwnerActive, RecordInvalid]),
            Operation::of(routes::POST_RECEIPT)
                .about("Also for a share that is over since. Closes the ticket that the header names.")
                .headers(&[Parameter::Ticket])
                .takes::<PostReceipt>()
                .gives_nothing("The receipt is stored.")
                .again("The same record is answered as if it were stored now.")
                .fails(&[RecordInvalid, LogUnknown]),
            Operation::of(routes::RECEIPTS)
                .about("Newest first, with all that verifying them needs.")
                .query::<ReceiptQuery>()
                .gives_page_of::<ReceiptView>("Receipts."),
            Operation::of(routes::PAIR)
                .about("People unknown give an empty answer, so that nobody can ask who exists.")
                .query::<PairQuery>()
                .gives::<PairPage>(200, "Records after the sequence asked for, and the newest sequence."),
        ],
    }
}
